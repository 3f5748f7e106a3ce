"""The benchmark of decisions: its engine and its bars."""

import asyncio
from itertools import pairwise

import pytest
from benchmarks.policies.caching_engine import Prompt, Queue
from benchmarks.policies.measured_policy import against
from benchmarks.policies.merged_trace import MergedTrace
from benchmarks.policies.routing_bars import Course, routing_report, told
from benchmarks.policies.uneven_trace import UnevenTrace
from benchmarks.policies.workloads import workloads
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.simulation.described.faults import Slows
from servery.simulation.traces.synthetic import Kind, SyntheticTrace


async def test_the_engines_queue_computes_what_is_not_cached() -> None:
    """One prompt after another; whole blocks of text that were there before cost nothing."""
    queue = Queue(tokens_per_s=10_000.0, cache_tokens=1_000, block_tokens=10)
    text = "".join(chr(97 + place) * 40 for place in range(5))
    computed: list[Prompt] = []
    all_are = asyncio.Event()

    def one_is(prompt: Prompt) -> None:
        computed.append(prompt)
        if len(computed) == 3:
            all_are.set()

    taken = [queue.take(one, one_is) for one in (text, text[:120] + "x" * 80, text)]
    async with asyncio.timeout(60):
        await all_are.wait()
    assert computed == taken
    assert [(one.tokens, one.cached) for one in taken] == [(50, 0), (50, 30), (50, 49)]


async def test_the_engines_queue_does_not_compute_what_nobody_wants_any_more() -> None:
    """Neither the prompt in hand nor one behind it; and what was not computed is not cached."""
    queue = Queue(tokens_per_s=1.0, cache_tokens=1_000, block_tokens=10)
    done = asyncio.get_running_loop().create_future()
    first, second = queue.take("a" * 400, done.set_result), queue.take("b" * 400, done.set_result)
    queue.abort(second)
    queue.abort(first)
    again = queue.take("a" * 4, done.set_result)
    assert again.cached == 0
    async with asyncio.timeout(60):
        assert await done is again


def test_bars_are_told_and_summed_up() -> None:
    """One that is missed is shown as such, and counts."""
    text, met = told([("one", True), ("two", False)])
    assert text == "  met     one\n  MISSED  two\n"
    assert not met


def test_the_routing_table_has_a_row_for_each_policy() -> None:
    """And its bars below."""
    trace = SyntheticTrace(Kind.CHAT, requests=200, requests_per_s=20.0, accounts=2, seed=1)
    [(text, _)] = routing_report([Course("made up", (trace,), 400_000)])
    for name in ("servery", "round robin", "least requests", "prefix hash", "cache aware", "oracle"):
        assert f"\n{name} " in text
    assert text.count("MISSED") + text.count("  met ") == 5


def test_a_course_of_several_traces_is_told_by_their_means() -> None:
    """And how sure the comparison is, which one trace cannot tell."""
    traces = tuple([SyntheticTrace(Kind.CHAT, requests=100, requests_per_s=20.0, accounts=2, seed=n) for n in (1, 2)])
    alone = [_mean_of_servery(Course("made up", (trace,), 400_000)) for trace in traces]
    [(text, _)] = routing_report([Course("made up", traces, 400_000)])
    assert text.startswith("made up, 2 draws\n")
    assert "±" in text
    assert _mean_of_servery(Course("made up", traces, 400_000)) == pytest.approx(sum(alone) / 2, abs=2e-3)


def _mean_of_servery(course: Course) -> float:
    [(text, _)] = routing_report([course])
    return next(float(line.split()[2]) for line in text.splitlines() if line.startswith("servery "))


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [([1.0], [2.0], "0.500"), ([1.0, 3.0], [2.0, 6.0], "0.500 ± 0.000"), ([1.0, 2.0], [2.0, 2.0], "0.750 ± 3.178")],
)
def test_one_policy_against_another(ours: list[float], theirs: list[float], told: str) -> None:
    """By their means; two that differ by the same on each trace are told apart surely."""
    assert against(ours, theirs) == told


@given(
    rates=st.lists(st.floats(0.05, 5.0), min_size=1, max_size=8).map(tuple),
    period_s=st.floats(0.5, 20.0),
)
@settings(max_examples=30, deadline=None)
def test_an_uneven_trace_has_the_same_requests_at_other_times(rates: tuple[float, ...], period_s: float) -> None:
    """In order, and in each period as many seconds of the trace's own time as its rate says."""
    made = SyntheticTrace(Kind.RANDOM, requests=100, requests_per_s=5.0, accounts=1, seed=2)
    even, uneven = list(made.requests()), list(UnevenTrace(made, rates, period_s=period_s).requests())
    assert [one.blocks for one in uneven] == [one.blocks for one in even]
    for before, after in zip(even, uneven, strict=True):
        periods = int(after.arrives_s / period_s)
        passed_s = sum(rates[number % len(rates)] for number in range(periods)) * period_s
        passed_s += rates[periods % len(rates)] * (after.arrives_s - periods * period_s)
        assert passed_s == pytest.approx(before.arrives_s, abs=1e-6)
    assert all(one.arrives_s <= other.arrives_s for one, other in pairwise(uneven))


def test_a_merged_trace_has_all_requests_in_order_and_no_block_in_common() -> None:
    """Also of traces that are equal."""
    one = SyntheticTrace(Kind.CHAT, requests=50, requests_per_s=5.0, accounts=2, seed=2)
    found = list(MergedTrace([one, one]).requests())
    assert [request.arrives_s for request in found] == sorted(2 * [request.arrives_s for request in one.requests()])
    blocks: dict[str, set[int]] = {"0": set(), "1": set()}
    for request in found:
        blocks[request.account[0]].update(request.blocks)
    assert len(blocks["0"]) == len(blocks["1"])
    assert not blocks["0"] & blocks["1"]


def test_workloads_are_told_apart_and_begin_with_nobody() -> None:
    """Each has a name and requests of its own; a conversation's first turn comes first."""
    found = workloads()
    assert len({one.name for one in found}) == len(found) >= 12
    assert {2, 4, 8, 32} <= {one.replicas for one in found}
    for one in found:
        first = next(iter(one.trace(requests=1).requests()))
        begins = one.traffic.common_tokens + one.traffic.account_tokens
        begins += one.traffic.documents * one.traffic.document_tokens
        assert first.prompt_tokens < begins + 60 * one.traffic.new_tokens


def test_unlike_replicas_are_as_fast_as_described() -> None:
    """In turns; and those that are as fast as all need no word."""
    trace = SyntheticTrace(Kind.RANDOM, requests=1, requests_per_s=1.0, accounts=1, seed=1)
    fleet = Course("unlike", (trace,), 100_000, replicas=3, speeds=(1.0, 0.5)).fleet
    assert [(one.replica, one.factor) for one in fleet.faults if isinstance(one, Slows)] == [("shared/1", 0.5)]
    assert not Course("alike", (trace,), 100_000).fleet.faults
