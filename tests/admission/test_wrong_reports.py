"""Engines that report nonsense, or nothing: places are found, waits are bounded, and the next true report mends all."""

from math import isfinite

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.admission.pools import PRIORITY, STANDARD, pool_of, ticket
from tests.admission.test_pool_queue import ADMITTED, RECALLED, SHED, WAITING, Door
from tests.routing.test_router import up, wish

from servery.admission.policy import AdmissionPolicy
from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.engines.load import EngineLoad, read_load
from servery.fleet.replica import Replica
from servery.routing.router import Router

NUMBERS = st.one_of(
    st.sampled_from(["NaN", "-Inf", "+Inf", "-1", "1e308", "9" * 40, "0"]), st.floats(allow_nan=False).map(str)
)
REPORTS = st.builds(
    lambda running, waiting, usage, hits, tokens, seconds: (
        f"vllm:num_requests_running 0\nvllm:num_requests_running {running}\nvllm:num_requests_waiting {waiting}\n"
        f"vllm:kv_cache_usage_perc {usage}\nvllm:prefix_cache_hits_total {hits}\n"
        f"vllm:request_prefill_kv_computed_tokens_sum {tokens}\nvllm:request_prefill_time_seconds_sum {seconds}\n"
        f'vllm:cache_config_info{{block_size="16",num_gpu_blocks="{tokens[:6]}"}} 1\n'
    ),
    *[NUMBERS] * 6,
)
CALM = EngineLoad(running=0, waiting=0, kv_usage=0.0, scraped_at_s=0.0)


def told(replica: Replica, text: str) -> None:
    load = read_load(text, EngineFamily.VLLM, scraped_at_s=0.0)
    assert load is not None, "a part of it is true"
    replica.reported(load, replica.occupancy.gone())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), REPORTS, st.booleans()), max_size=12))
def test_nobody_waits_for_a_report_alone(steps: list[tuple[int, str, bool]]) -> None:
    """With nonsense from both engines, each that has nothing of ours takes a request; all of them go in the end, and
    true reports leave nothing behind."""
    door = Door(pool_of(replicas=2, concurrency=4, kv_tokens=1_000), AdmissionPolicy(priority_reserve=0.0))
    tickets = []
    for number, text, is_priority in steps:
        told(door.pool.replicas[number], text)
        tickets.append(ticket("a", PRIORITY if is_priority else STANDARD, tokens=100))
        door.enter(tickets[-1])
        assert all(one.occupancy.sequences for one in door.pool.replicas) or not door.queue.waiting
        for one in tickets:
            if one.state is RECALLED:
                door.come_back(one)
            assert one.state is not SHED or 1.0 <= one.retry_after_s <= 60.0
        for replica in door.pool.replicas:
            replica.occupancy.check_integrity()
        door.now_s += 1.0
    while inside := [one for one in tickets if one.state in (ADMITTED, RECALLED)]:
        door.now_s += 0.1
        door.leave(inside[0])
        tickets.remove(inside[0])
    assert not [one for one in tickets if one.state is WAITING]
    assert [one.occupancy.sequences for one in door.pool.replicas] == [0, 0]
    for replica in door.pool.replicas:
        replica.reported(CALM, replica.occupancy.gone())
    fresh = [ticket("b", tokens=100) for _ in range(8)]
    door.entered(*fresh)
    assert all(one.state is ADMITTED for one in fresh)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), REPORTS, st.integers(0, 3)), max_size=12))
def test_routes_stay_finite(steps: list[tuple[int, str, int]]) -> None:
    """Each decision has costs that are numbers, pressure counts as a full replica's at most, and after true reports a
    prompt goes where it lies."""
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    pool = up(Pool(name="p", engine=engine, concurrency=4, kv_tokens=100_000))
    clock = ManualClock()
    router = Router(clock, slot_isolation=True)
    for number, text, owner in steps:
        told(pool.replicas[number], text)
        seat = router.seat(pool, wish(f"{owner}/"))
        assert seat is not None
        for score in seat.weighing.decision.scores:
            assert isfinite(score.cost_s)
            assert score.busy_s < 60.0
        clock.advance(0.1)
        seat.first_byte()
        seat.reported(cached_tokens=0, prompt_tokens=1_000)
        seat.leave()
    for replica in pool.replicas:
        replica.reported(CALM, replica.occupancy.gone())
    homes = set()
    for _ in range(3):
        seat = router.seat(pool, wish("z/"))
        assert seat is not None
        homes.add(seat.replica.name)
        seat.answered()
        seat.leave()
    assert len(homes) == 1
