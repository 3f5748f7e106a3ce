"""Money on the request path: held, settled, given back, and refused when there is none."""

import asyncio
from collections.abc import Callable

import pytest
from tests.fakes.engine_scripts import OPENING, dies, refuses, sends, streams, token
from tests.serving.house import ACME, CHAT, HELLO, House, asked

from servery.billing.billing_month import BillingMonth
from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.standing import Standing
from servery.control.account_review import AccountReview
from servery.control.credits import Credits
from servery.control.spend_limit import SpendLimit
from servery.core.errors import PreconditionFailed, ServeryError
from servery.core.value import changed
from servery.limits.estimate import Estimator

_TOKENS = Estimator().estimate(asked(), key_id=ACME.key_id, prompt_bytes=len(HELLO.prompt_bytes()))
ESTIMATE = _TOKENS.prompt_tokens * 100 + _TOKENS.generated_tokens * 400
CHARGE = 12 * 100 + 2 * 400


async def prepay(house: House, nanodollars: int) -> None:
    """Acme has so much, and nothing else."""
    review = AccountReview(house.database, house.clock, spending=house.spending, tiers=USUAL_TIERS)
    await SpendLimit(house.database, house.clock, review).set_prepaid("acme", prepaid=True)
    given = Credits(house.database, house.clock, spending=house.spending, review=review)
    await given.grant("acme", nanodollars)
    await house.budgets.refresh(["acme"])


async def standing(house: House) -> Standing:
    month = BillingMonth.of(house.clock.wall_ns()).number
    return (await house.spending.read(["acme"], month))["acme"]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def room(house: House) -> int:
    return house.budgets._purses["acme"].room_nanodollars


async def test_money_is_held_while_a_request_runs(house: House) -> None:
    """Its estimate, at the price of its admission; then what it costs."""
    await prepay(house, 100_000)
    hold = asyncio.Event()
    house.first.always = house.second.always = streams(hold=hold)
    task, _ = house.begin(asked())
    await until(lambda: house.holds.running == 1)
    assert room(house) == 100_000 - ESTIMATE
    hold.set()
    await task
    assert room(house) == 100_000 - CHARGE
    assert (await standing(house)).credits_left_nanodollars == 100_000 - CHARGE


async def test_what_there_is_no_money_for_is_refused(house: House) -> None:
    """With 412 and a sentence, before any engine is asked; the token limits are as if it had not been."""
    await prepay(house, ESTIMATE - 1)
    with pytest.raises(PreconditionFailed, match="does not cover this request"):
        await house.serve(asked())
    assert house.first.asked == house.second.asked == []
    await prepay(house, 1)
    await house.serve(asked())


async def test_running_requests_share_what_there_is(house: House) -> None:
    """Many at once do not spend the last dollar twice."""
    await prepay(house, 2 * ESTIMATE)
    outcomes = await asyncio.gather(*(house.serve(asked()) for _ in range(10)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, PreconditionFailed)]
    assert len(refused) == 8
    assert sum(isinstance(outcome, ServeryError) for outcome in outcomes) == 8
    assert (await standing(house)).spent_nanodollars <= 2 * ESTIMATE


async def test_a_request_that_fails_holds_nothing_on(house: House) -> None:
    """Before its first byte it costs nothing; broken later, what was delivered."""
    await prepay(house, 100_000)
    house.first.always = house.second.always = refuses(400, "no")
    with pytest.raises(ServeryError):
        await house.serve(asked())
    assert room(house) == 100_000
    house.first.always = house.second.always = sends(OPENING, token("a"), then=dies)
    with pytest.raises(ServeryError):
        await house.serve(asked())
    assert room(house) == 100_000 - house.ended.charges[-1].nanodollars < 100_000


async def test_a_client_that_leaves_pays_for_what_was_done(house: House) -> None:
    """And holds nothing on."""
    await prepay(house, 100_000)
    hold = asyncio.Event()
    house.first.always = house.second.always = streams(hold=hold)
    task, reply = house.begin(asked())
    await until(lambda: len(reply.frames) > 0)
    task.cancel()
    await asyncio.wait({task})
    assert room(house) == 100_000 - house.ended.charges[-1].nanodollars < 100_000


async def test_a_stream_that_outgrows_its_hold_takes_room_from_others(house: House) -> None:
    """Below zero if need be, and it may finish; the next is refused."""
    long = changed(HELLO, max_tokens=300)
    tokens = Estimator().estimate(asked(CHAT, long), key_id=ACME.key_id, prompt_bytes=len(HELLO.prompt_bytes()))
    held, cost = tokens.prompt_tokens * 100 + tokens.generated_tokens * 400, 12 * 100 + 300 * 400
    await prepay(house, held + 500)
    hold = asyncio.Event()
    house.first.always = house.second.always = streams(["x"] * 300, hold=hold)
    task, reply = house.begin(asked(CHAT, long))
    await until(lambda: len(reply.frames) > 300)
    assert room(house) == 500
    await house.holds.cover()
    assert room(house) == held + 500 - cost < 0
    with pytest.raises(PreconditionFailed):
        await house.serve(asked())
    hold.set()
    await task
    assert reply.served is not None
    assert (await standing(house)).spent_nanodollars == cost
    with pytest.raises(PreconditionFailed, match="credits are used up"):
        await house.serve(asked())


async def test_an_account_near_its_limit_is_told_in_the_head(house: House) -> None:
    """From 80 % on, spent or held."""
    await prepay(house, 10 * ESTIMATE)
    assert (await house.serve(asked())).budget_used is None
    await prepay(house, 1)
    house.budgets.hold("acme", 8 * ESTIMATE)
    reply = await house.serve(asked())
    assert reply.budget_used is not None
    assert 0.8 < reply.budget_used < 1
    house.budgets._purses["acme"].unhold(8 * ESTIMATE)


async def test_a_callers_account_is_met_once(house: House) -> None:
    """The database is asked about its money at its first request alone."""
    assert not house.budgets.knows(ACME.account)
    await house.serve(asked())
    assert house.budgets.knows(ACME.account)
