"""Twice as much as a pool can serve, in virtual time: who pays for it, and who does not.

The bars are those that docs/admission.md states. Each run is some ten thousand requests.
"""

from random import Random

import pytest
from tests.admission.pools import PRIORITY, STANDARD
from tests.admission.town import (
    OVERHEAD_S,
    REPLICAS,
    Ask,
    Town,
    asks,
    first_token_s,
    jain,
    tokens_served,
)

from servery.admission.policy import AdmissionPolicy
from servery.admission.ticket import TicketState

SECONDS, WARM_S = 30, 10
CAPACITY_PER_S = 250.0
"""About what the town serves; measured below."""


def everything(seed: int, *, per_s: float = CAPACITY_PER_S) -> tuple[list[Ask], list[Ask]]:
    """Priority, and Standard. Together twice the capacity, which is ``per_s``: three tenths of it Priority of five
    accounts; Standard half of ten equal accounts, half of one that asks for ten times as much as each of these."""
    random = Random(seed)
    priority = [
        one
        for number in range(5)
        for one in asks(random, f"p{number}", PRIORITY, per_s=0.6 * per_s / 5, seconds=SECONDS)
    ]
    rates = {f"s{number}": 0.07 * per_s for number in range(10)} | {"greedy": 0.7 * per_s}
    standard = [one for name, rate in rates.items() for one in asks(random, name, per_s=rate, seconds=SECONDS)]
    return priority, standard


def again(asked: list[Ask]) -> list[Ask]:
    """The same requests, not asked yet."""
    return [Ask(one.at_s, one.account, one.serving_class, prompt=one.prompt, answer=one.answer) for one in asked]


def warm(asked: list[Ask]) -> list[Ask]:
    return [one for one in asked if one.at_s >= WARM_S]


def goodput(asked: list[Ask]) -> float:
    """Tokens a second."""
    return tokens_served(asked, from_s=WARM_S, until_s=SECONDS) / (SECONDS - WARM_S)


def standard_shares(standard: list[Ask]) -> list[float]:
    """What each account was served, once the pool was warm."""
    shares: dict[str, float] = {}
    for one in standard:
        if one.done_s is not None and one.done_s >= WARM_S:
            shares[one.account] = shares.get(one.account, 0.0) + one.tokens
    return list(shares.values())


@pytest.fixture(scope="module")
def capacity() -> float:
    return capacity_with(prefill_per_s=40_000.0)


def capacity_with(*, prefill_per_s: float) -> float:
    """Tokens a second when there is always somebody waiting, and nothing to decide."""
    town = Town(queue=100_000, policy=AdmissionPolicy(standard_budget_s=1e9), prefill_per_s=prefill_per_s)
    asked = asks(Random(0), "a", per_s=1.3 * CAPACITY_PER_S, seconds=SECONDS)
    town.run(asked, until_s=SECONDS)
    return goodput(asked)


@pytest.mark.parametrize(("seed", "prefill_per_s", "per_s"), [(1, 40_000.0, CAPACITY_PER_S), (2, 10_000.0, 240.0)])
def test_twice_the_capacity_is_paid_for_by_those_who_ask_for_too_much(
    seed: int, prefill_per_s: float, per_s: float
) -> None:
    """No Priority is refused, and it hardly waits, also where prompts keep the engines busy for three quarters of the
    time; the pool serves all it can; equal accounts get equal shares, beside one that asks for ten times as much; the
    queue stays bounded."""
    priority, standard = everything(seed, per_s=per_s)
    alone = again(priority)
    Town(prefill_per_s=prefill_per_s).run(alone, until_s=SECONDS + 30)
    town = Town(prefill_per_s=prefill_per_s)
    town.run([*priority, *standard], until_s=SECONDS)
    assert sum(one.refusals for one in priority) == 0
    assert first_token_s(warm(priority), 0.99) <= 1.2 * first_token_s(warm(alone), 0.99)
    assert goodput([*priority, *standard]) >= 0.95 * capacity_with(prefill_per_s=prefill_per_s)
    assert jain(standard_shares(standard)) >= 0.95
    assert town.longest_queue <= 1_000 + REPLICAS, "and those that are called back, for a moment"


def in_few_places(seed: int, *, per_s: float, prefill_per_s: float = 40_000.0) -> tuple[list[Ask], list[Ask], float]:
    """Priority and Standard of 128 places, and what a plain line would have served of them."""
    plain = AdmissionPolicy(priority_reserve=0.0, recalls_per_request=0, prefill_ahead_beside_priority_s=0.05)
    priority, standard = everything(seed, per_s=per_s)
    served = []
    for policy in (plain, AdmissionPolicy()):
        ours, theirs = again(priority), again(standard)
        town = Town(replicas=8, places=16, prefill_per_s=prefill_per_s, policy=policy)
        town.run([*ours, *theirs], until_s=SECONDS)
        served.append(goodput([*ours, *theirs]))
    return ours, theirs, served[0]


def test_few_places_are_kept_free_as_far_as_that_costs_little() -> None:
    """In a pool of 128 places Priority, six tenths of what it serves, finds one at once or nearly, over many seeds; and
    the pool serves as much as a plain line would, to a twentieth (0.953 over 24 seeds, of which five tell it to a
    hundredth)."""
    waits, served, plainly = [], 0.0, 0.0
    for seed in range(5):
        ours, theirs, plain = in_few_places(seed, per_s=62.0)
        plainly += plain
        assert sum(one.refusals for one in ours) == 0
        assert jain(standard_shares(theirs)) >= 0.95
        served += goodput([*ours, *theirs])
        waits += [one.first_s - one.at_s for one in warm(ours) if one.first_s is not None]
    assert sorted(waits)[len(waits) * 99 // 100] < 0.12, "0.07 s alone, and 0.3 s without these places"
    assert served >= 0.94 * plainly


def test_places_are_kept_where_no_prompts_are_computed() -> None:
    """Where engines compute prompts for three quarters of the time, what is kept free would often be beside prompts of
    Priority: three in ten of it waited for 10 ms or longer while any places counted."""
    late, served, plainly = [], 0.0, 0.0
    for seed in range(3):
        ours, theirs, plain = in_few_places(seed, per_s=58.5, prefill_per_s=5_000.0)
        plainly += plain
        served += goodput([*ours, *theirs])
        own_s = OVERHEAD_S + 0.01
        late += [one.first_s - one.at_s > own_s + one.prompt / 5_000.0 for one in warm(ours) if one.first_s is not None]
    assert sum(late) / len(late) < 0.2
    assert served >= 0.95 * plainly


def test_a_cold_burst_waits_in_the_platform_and_not_in_engines() -> None:
    """All places are free and every prompt is still to be computed, by engines that know no priorities: an engine is
    sent no more than it is about to begin, so a Priority waits for a few prompts at most, not for all that came before
    it. Without the bound it would."""
    random = Random(5)
    burst = [Ask(0.0, "s", STANDARD, prompt=random.randint(250, 750), answer=50) for _ in range(500)]
    priority = [Ask(0.1 + 0.05 * number, "p", PRIORITY, prompt=500, answer=50) for number in range(20)]
    town = Town(prefill_per_s=1_000.0, honours=False)
    town.run([*burst, *priority], until_s=60)
    assert first_token_s(priority, 0.99) < 1.7, "its own half a second, and that of the prompts at hand"
    assert town.longest_engine_queue <= 2
    unbounded = AdmissionPolicy(prefill_ahead_s=1e9, prefill_ahead_beside_priority_s=1e9)
    careless = Town(prefill_per_s=1_000.0, honours=False, policy=unbounded)
    late = again(priority)
    careless.run([*again(burst), *late], until_s=60)
    assert first_token_s(late, 0.99) > 5.0


def test_a_storm_of_retries_does_not_bring_the_pool_down(capacity: float) -> None:
    """When every 503 is asked again at once, again and again, as much is served, and Priority is still not refused."""
    priority, standard = everything(3)
    town = Town(retries=15)
    town.run([*priority, *standard], until_s=SECONDS)
    assert sum(one.refusals for one in standard) > 3 * len(standard), "it is a storm"
    assert sum(one.refusals for one in priority) == 0
    assert goodput([*priority, *standard]) >= 0.95 * capacity


def test_priority_alone_beyond_capacity_leaves_standard_its_floor(capacity: float) -> None:
    """Nobody can starve the others by paying more; and all are told the truth early rather than late."""
    random = Random(4)
    priority = asks(random, "p", PRIORITY, per_s=2 * CAPACITY_PER_S, seconds=SECONDS)
    standard = asks(random, "s", STANDARD, per_s=CAPACITY_PER_S, seconds=SECONDS)
    Town().run([*priority, *standard], until_s=SECONDS)
    assert goodput(standard) >= 0.08 * capacity
    assert goodput([*priority, *standard]) >= 0.95 * capacity


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_left_when_all_is_over(seed: int) -> None:
    """Whatever was recalled, displaced or refused on the way: no place outlives its request, and all have an end."""
    random = Random(seed)
    asked = [
        one
        for number in range(6)
        for one in asks(random, f"a{number}", random.choice([PRIORITY, STANDARD]), per_s=80, seconds=5)
    ]
    town = Town(queue=random.choice([0, 50, 500]))
    town.run(asked, until_s=200)
    assert (town.queue.inside, town.queue.waiting) == (0, 0)
    assert all(one.occupancy.sequences == one.occupancy.held == 0 for one in town.pool.replicas)
    assert all((one.done_s is None) == (one.refusals > 0) for one in asked)
    assert not [ticket for ticket in town.open_tickets if ticket.state is not TicketState.LEFT]
    town.queue.check_integrity()
