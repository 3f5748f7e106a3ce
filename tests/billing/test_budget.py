"""Holding money: the room of a purse, for any sequence of requests."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.billing.billing_month import BillingMonth
from servery.billing.budget import Hold, Purse, estimated_nanodollars
from servery.billing.standing import Standing
from servery.core.price import Price
from servery.core.suspend_state import SuspendState

NOVEMBER = BillingMonth.parse("2026-11")
NOW_NS = NOVEMBER.start_ns + 5 * 86_400 * 10**9
PLAIN = Standing(
    account="acme",
    month=NOVEMBER.number,
    owed_limit_nanodollars=100,
    own_limit_nanodollars=None,
    prepaid=False,
    credits_nanodollars=0,
    credit_used_nanodollars=0,
    charged_nanodollars=0,
    charged_here_nanodollars=0,
    reversed_nanodollars=0,
    qualifying_nanodollars=0,
)


def standing(**changes: object) -> Standing:
    return msgspec.structs.replace(PLAIN, **changes)


def purse(**changes: object) -> Purse:
    return Purse(standing(**changes), now_ns=NOW_NS)


@pytest.mark.parametrize(
    ("changes", "limit", "state"),
    [
        ({}, 100, SuspendState.UNSUSPENDED),
        ({"charged_nanodollars": 100}, 100, SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED),
        ({"charged_nanodollars": 100, "reversed_nanodollars": 1}, 100, SuspendState.UNSUSPENDED),
        ({"credits_nanodollars": 30, "charged_nanodollars": 100}, 130, SuspendState.UNSUSPENDED),
        ({"own_limit_nanodollars": 20, "credits_nanodollars": 30}, 20, SuspendState.UNSUSPENDED),
        ({"own_limit_nanodollars": 0}, 0, SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED),
        ({"prepaid": True, "owed_limit_nanodollars": 0}, 0, SuspendState.CREDIT_DEPLETED),
        (
            {"prepaid": True, "owed_limit_nanodollars": 0, "credits_nanodollars": 30, "charged_nanodollars": 30},
            30,
            SuspendState.CREDIT_DEPLETED,
        ),
        (
            {
                "prepaid": True,
                "owed_limit_nanodollars": 0,
                "credits_nanodollars": 30,
                "own_limit_nanodollars": 20,
                "charged_nanodollars": 20,
            },
            20,
            SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED,
        ),
        ({"credits_nanodollars": -150}, 0, SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED),
    ],
)
def test_a_month_may_cost_credits_and_what_may_be_owed(
    changes: dict[str, object], limit: int, state: SuspendState
) -> None:
    """And no more than the account allows itself; a prepaid one owes nothing."""
    assert standing(**changes).limit_nanodollars == limit
    assert standing(**changes).suspend_state is state


def test_a_hold_takes_room_until_it_is_settled() -> None:
    """Settled, the price takes its place; released, it is as if it had not been; both once."""
    money = purse()
    alerts: set[str] = set()
    first, second = Hold(money, 30, alerts), Hold(money, 40, alerts)
    assert money.room_nanodollars == 30
    first.settle(10)
    first.settle(50)
    first.release()
    assert money.room_nanodollars == 50
    with second:
        second.cover(60)
        second.cover(20)
        assert money.room_nanodollars == 30
    second.settle(5)
    second.cover(90)
    assert (money.room_nanodollars, money.spent_nanodollars) == (90, 10)
    assert alerts == set()


def test_what_outgrows_its_hold_may_take_the_room_below_zero() -> None:
    """It is used already; it is those who come next who pay attention."""
    money = purse()
    hold = Hold(money, 90, set())
    hold.cover(120)
    assert money.room_nanodollars == -20
    assert money.used_share == 1.2
    hold.settle(130)
    assert (money.room_nanodollars, money.spent_nanodollars) == (-30, 130)


def test_an_account_near_its_limit_is_told() -> None:
    """From 80 % on, spent or held."""
    money = purse(charged_nanodollars=60)
    assert not Hold(money, 19, set()).near_limit
    told = Hold(money, 1, set())
    assert told.near_limit
    assert told.used_share == 0.8


def test_somebody_is_called_once_for_each_amount() -> None:
    """At the next of the amounts that are looked out for, and at the limit."""
    money = purse(alerts_nanodollars=(50, 80))
    alerts: set[str] = set()
    Hold(money, 1, alerts).settle(49)
    assert alerts == set()
    Hold(money, 1, alerts).settle(1)
    assert alerts == {"acme"}
    alerts.clear()
    Hold(money, 1, alerts).settle(45)
    assert alerts == set(), "until the standing is learnt anew"
    money.learn(standing(alerts_nanodollars=(50, 80), charged_nanodollars=95, charged_here_nanodollars=95))
    Hold(money, 1, alerts).settle(5)
    assert alerts == {"acme"}, "the limit is reached"


def test_books_that_lag_do_not_make_money() -> None:
    """What was charged here and is not posted yet stays charged, whatever the books say of others."""
    money = purse()
    Hold(money, 10, set()).settle(40)
    running = Hold(money, 25, set())
    money.learn(standing(charged_nanodollars=30, charged_here_nanodollars=10))
    assert money.spent_nanodollars == 20 + 40
    assert money.room_nanodollars == 15
    money.learn(standing(charged_nanodollars=60, charged_here_nanodollars=40))
    assert money.room_nanodollars == 15
    running.release()
    assert money.room_nanodollars == 40


def test_a_month_begins_anew() -> None:
    """With the whole budget, and with the credits that the old one has left; what is held stays held."""
    money = purse(credits_nanodollars=50, own_limit_nanodollars=140)
    Hold(money, 1, set()).settle(30)
    running = Hold(money, 7, set())
    money.turn(NOVEMBER.end_ns)
    assert money.standing.limit_nanodollars == 120
    assert money.room_nanodollars == 113
    running.settle(9)
    assert (money.spent_nanodollars, money.room_nanodollars) == (9, 111)
    assert money.starts_ns == NOVEMBER.end_ns


def test_a_clock_that_jumps_and_comes_back_changes_nothing() -> None:
    """Each month keeps what was charged in it."""
    money = purse()
    Hold(money, 1, set()).settle(30)
    money.turn(NOVEMBER.end_ns)
    Hold(money, 1, set()).settle(4)
    money.turn(NOW_NS)
    assert money.spent_nanodollars == 30
    assert money.room_nanodollars == 70
    money.turn(NOVEMBER.end_ns)
    assert money.spent_nanodollars == 4
    money.learn(standing(charged_nanodollars=99))
    assert money.spent_nanodollars == 4, "a standing of another month"


def test_an_estimate_is_rounded_up() -> None:
    """So that nothing that costs something is held as nothing."""
    price = Price(1, 0, 2)
    assert estimated_nanodollars(price, prompt_tokens=0, generated_tokens=0) == 0
    assert estimated_nanodollars(price, prompt_tokens=1, generated_tokens=0) == 1
    assert estimated_nanodollars(price, prompt_tokens=1_000, generated_tokens=500) == 2
    assert estimated_nanodollars(price, prompt_tokens=1_001, generated_tokens=500) == 3


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["begin", "settle", "release", "cover"]), st.integers(0, 60), st.integers(0, 5)),
        max_size=60,
    ),
    credit=st.integers(0, 80),
)
def test_overdraft_is_what_running_requests_use_beyond_their_holds(
    steps: list[tuple[str, int, int]], credit: int
) -> None:
    """For any interleaving: nothing is admitted without room, the room is always limit - spent - held, and what is
    spent beyond the limit is at most what admitted requests cost more than they held."""
    money = purse(credits_nanodollars=credit)
    limit = money.standing.limit_nanodollars
    running: list[tuple[Hold, list[int]]] = []
    spent = beyond = 0
    for step, amount, which in steps:
        if step == "begin":
            if not (amount > money.room_nanodollars or money.room_nanodollars <= 0):
                running.append((Hold(money, amount, set()), [amount, amount]))
            continue
        if not running:
            continue
        hold, (first, held) = running[which % len(running)][0], running[which % len(running)][1]
        if step == "cover":
            hold.cover(amount)
            running[which % len(running)][1][1] = max(held, amount)
            continue
        running.pop(which % len(running))
        if step == "settle":
            hold.settle(amount)
            spent += amount
            beyond += max(0, amount - first)
        else:
            hold.release()
        assert money.spent_nanodollars == spent
    assert money.room_nanodollars == limit - spent - sum(held for _, (_, held) in running)
    assert spent <= limit + beyond


def test_the_months_of_the_calendar() -> None:
    """A purse's month begins and ends with UTC's."""
    money = Purse(standing(month=BillingMonth.parse("2026-12").number), now_ns=0)
    assert datetime.fromtimestamp(money.starts_ns / 1e9, UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(money.ends_ns / 1e9, UTC) == datetime(2027, 1, 1, tzinfo=UTC)
