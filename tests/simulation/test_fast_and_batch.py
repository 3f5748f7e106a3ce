"""Fast's promise and batch jobs in whole runs: the platform's own speed control and queue, in virtual time."""

from collections.abc import Iterator

import msgspec
import pytest
from tests.simulation.fleets import read_fleet, run, traffic, with_fast_and_batch

from servery.core.serving_path import ServingPath
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.reports.text import text_of
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.synthetic import Kind


class Online:
    """``trace`` without its batch rows."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.block_tokens = trace.block_tokens

    def requests(self) -> Iterator[Request]:
        return (one for one in self._trace.requests() if one.path is not ServingPath.BATCH)


def summary(trace: Trace, *, policy: str = "servery", target: float = 100.0, rows_at_once: int = 32) -> Summary:
    fleet = read_fleet(with_fast_and_batch(target=target, rows_at_once=rows_at_once), source="fleet.yaml")
    simulation = run(fleet, policy, trace)
    return summary_of(policy, simulation.tally, simulation.pools, fleet=fleet)


@pytest.mark.parametrize("seed", range(3))
def test_fast_keeps_its_speed_when_more_ask_than_can_have_it(seed: int) -> None:
    """Nine streams in ten reach the target, and who finds no place waits or is refused; behind a plain line all are
    let in, and most are too slow."""
    trace = traffic(Kind.RANDOM, requests=1_500, requests_per_s=12.0, fast_share=1.0, seed=seed)
    ours, plain = summary(trace), summary(trace, policy="fifo")
    fast = ours.by_path[ServingPath.FAST]
    assert ours.promise is not None
    assert plain.promise is not None
    assert ours.promise.kept_share is not None
    assert plain.promise.kept_share is not None
    assert ours.promise.kept_share >= 0.9
    assert fast.stream_tokens_per_s is not None
    assert fast.stream_tokens_per_s.p10 >= 100.0
    assert fast.endings[Ending.COMPLETED] > 0.4 * fast.requests
    assert plain.promise.kept_share < 0.6


def test_fast_in_a_pool_that_others_share_promises_nothing() -> None:
    """As in a catalog: whose streams they are cannot be told apart by the engine."""
    text = with_fast_and_batch().replace("fast: {pool: fast", "fast: {pool: shared")
    assert read_fleet(text, source="fleet.yaml").speed_targets() == {}


def test_batch_takes_what_is_idle_and_online_traffic_hardly_feels_it() -> None:
    """As many rows as requests beside them, in a fleet that is a third full: first tokens come as soon as without any,
    to a twelfth at p99 on the average of three seeds (it is ten requests of a thousand) and a twenty-fifth in the mean;
    nearly all rows are done while requests still come."""
    p99, mean = 0.0, 0.0
    for seed in range(3):
        trace = traffic(Kind.RANDOM, requests=2_000, requests_per_s=4.0, batch_share=0.5, seed=seed)
        both, alone = summary(trace), summary(Online(trace))
        beside = both.by_path[ServingPath.STANDARD].time_to_first_token_s
        by_itself = alone.by_path[ServingPath.STANDARD].time_to_first_token_s
        assert beside is not None
        assert by_itself is not None
        p99 += beside.p99 / by_itself.p99 / 3
        mean += beside.mean / by_itself.mean / 3
        assert both.batch is not None
        assert both.batch.rows == both.by_path[ServingPath.BATCH].endings[Ending.COMPLETED]
        assert both.batch.timely_rows > 0.9 * both.batch.rows
    assert p99 <= 1 + 1 / 12
    assert mean <= 1 + 1 / 25


def test_rows_wait_outside_the_queue_of_a_busy_pool() -> None:
    """Under overload no more of them stand in it than are handed on at once; none is lost, and they are done when
    nobody else asks any more."""
    trace = traffic(Kind.RANDOM, requests=1_000, requests_per_s=30.0, batch_share=0.5)
    busy = summary(trace, rows_at_once=8)
    assert busy.batch is not None
    assert busy.by_path[ServingPath.BATCH].endings == {Ending.COMPLETED: busy.batch.rows}
    assert busy.batch.timely_rows < 0.2 * busy.batch.rows
    assert busy.batch.last_s <= busy.duration_s


def test_speeds_promise_and_progress_are_told_and_equal_seeds_tell_the_same() -> None:
    """In the text and the numbers, to the last byte."""

    def told() -> tuple[str, bytes]:
        trace = traffic(Kind.CHAT, requests=400, fast_share=0.3, batch_share=0.3, seed=3)
        one = summary(trace)
        return text_of([one]), msgspec.json.encode(one)

    text, numbers = told()
    assert (text, numbers) == told()
    for line in ("stream tokens/s p10", "Fast streams at 100 tokens/s or more, %", "last batch row done after, s"):
        assert line in text
