"""How fast replicas compute prompts is learned from whole answers too, and from what engines tell, in virtual time."""

import pytest
from tests.routing.test_router import blocks, seated, slots, wish

from servery.core.clock import ManualClock
from servery.engines.load import EngineLoad
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.prefill_rate import FIRST_TOKENS_PER_S
from servery.routing.router import Router
from servery.routing.wish import Wish

RATE = 12_000.0
TOKENS = 4_000


def new_wish(number: int, *, tells_first_token: bool) -> Wish:
    """Of four bytes a token, and like no other."""
    asked = wish(f"{number}/", b"p" * (4 * TOKENS))
    return Wish(owner=asked.owner, chain=asked.chain, units_per_token=4.0, tells_first_token=tells_first_token)


def answer(
    router: Router, pool: ReplicaPool, clock: ManualClock, number: int, *, told: bool, tells_first_token: bool = False
) -> None:
    """One whole answer whose prompt takes as long as it does at ``RATE``, and whose tokens take five seconds more."""
    asked = new_wish(number, tells_first_token=tells_first_token)
    with seated(router, pool, asked, answered=False) as seat:
        assert seat is not None
        clock.advance(TOKENS / RATE + (0.0 if tells_first_token else 5.0))
        seat.answered(prefill_s=TOKENS / RATE if told else None)


def rate_of(router: Router, pool: ReplicaPool) -> float:
    return router._pool(pool).commons.rate.tokens_per_s


@pytest.mark.parametrize("kind", [blocks, slots])
def test_whole_answers_teach_where_engines_tell_how_long_prompts_took(kind) -> None:
    """As llama.cpp does. Without that nothing is learned: how long the tokens took says nothing of the prompt."""
    for told in (True, False):
        clock, pool = ManualClock(), kind(replicas=2)
        router = Router(clock, slot_isolation=True)
        for number in range(30):
            answer(router, pool, clock, number, told=told)
        assert rate_of(router, pool) == (pytest.approx(RATE, rel=0.15) if told else FIRST_TOKENS_PER_S)


def test_answers_of_one_token_or_none_teach_by_themselves() -> None:
    """Vectors, and what is asked for a single token: they are there when the prompt is computed."""
    clock, pool = ManualClock(), blocks(replicas=2)
    router = Router(clock, slot_isolation=True)
    for number in range(30):
        answer(router, pool, clock, number, told=False, tells_first_token=True)
    assert rate_of(router, pool) == pytest.approx(RATE, rel=0.15)


def report(pool: ReplicaPool, *, prompts: float, seconds_each: float = TOKENS / RATE) -> None:
    told = (prompts * TOKENS, prompts * seconds_each)
    for replica in pool.replicas:
        replica.reported(EngineLoad(running=0, waiting=0, prefilled=told, scraped_at_s=0.0), replica.occupancy.gone())


def test_engines_sums_teach_where_no_prompt_told() -> None:
    """As vLLM's: what was computed between two reports. The first says nothing, because nobody knows since when."""
    clock, pool = ManualClock(), blocks(replicas=2)
    router = Router(clock, slot_isolation=True)
    answer(router, pool, clock, 0, told=False)
    report(pool, prompts=1_000, seconds_each=9.0)
    assert rate_of(router, pool) == FIRST_TOKENS_PER_S
    clock, pool = ManualClock(), blocks(replicas=2)
    router = Router(clock, slot_isolation=True)
    answer(router, pool, clock, 0, told=False)
    for number in range(40):
        report(pool, prompts=number)
    assert rate_of(router, pool) == pytest.approx(RATE, rel=0.15)


def test_what_prompts_tell_goes_before_engines_sums() -> None:
    """Streams say how long each had the engine for itself; sums of an engine that computes several at once do not."""
    clock, pool = ManualClock(), blocks(replicas=1)
    router = Router(clock, slot_isolation=True)
    for number in range(40):
        answer(router, pool, clock, number, told=False, tells_first_token=True)
        report(pool, prompts=number, seconds_each=30.0)
    assert rate_of(router, pool) == pytest.approx(RATE, rel=0.15)


@pytest.mark.parametrize(
    "absurd",
    [(-1e18, 5.0), (1e18, 1e-9), (5.0, -1e18), (0.0, 0.0), (1e300, 1e300), (100.0, 1e12)],
)
def test_absurd_sums_leave_a_rate_that_can_be_used(absurd: tuple[float, float]) -> None:
    """Negative, huge, or standing still: what is learned stays a number above nothing, and what is true mends it."""
    clock, pool = ManualClock(), blocks(replicas=2)
    router = Router(clock, slot_isolation=True)
    answer(router, pool, clock, 0, told=False)
    for told in ((0.0, 0.0), absurd, (1.0, 1.0), absurd):
        for replica in pool.replicas:
            load = EngineLoad(running=0, waiting=0, prefilled=told, scraped_at_s=0.0)
            replica.reported(load, replica.occupancy.gone())
    assert 1.0 < rate_of(router, pool) < 1e6
    for number in range(1, 400):
        answer(router, pool, clock, number, told=True)
    assert rate_of(router, pool) == pytest.approx(RATE, rel=0.15)
