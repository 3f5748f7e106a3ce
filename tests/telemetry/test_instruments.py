"""Own counters show what the client library's would."""

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from servery.telemetry.instruments import Counts, Distributions

BOUNDS = (0.005, 0.25, 1.0, 120.0)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.005, 0.3, 1.0, 1.5, 120.0, 1e9])), max_size=20)
)
def test_a_distribution_shows_what_a_histogram_does(values: list[tuple[str, float]]) -> None:
    """Values on a bound, beyond all bounds, and none at all; but for when each was created."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    distributions = Distributions("took_seconds", "How long.", ("who",), bounds=BOUNDS)
    ours.register(distributions)
    histogram = prometheus_client.Histogram("took_seconds", "How long.", ("who",), registry=theirs, buckets=BOUNDS)
    for who, value in values:
        distributions.labels(who).observe(value)
        histogram.labels(who).observe(value)
    assert page(ours) == page(theirs)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=20))
def test_counts_show_what_a_counter_does(values: list[tuple[str, int]]) -> None:
    """Also those that are asked for and never counted."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts("done", "How many.", ("who",))
    ours.register(counts)
    counter = prometheus_client.Counter("done", "How many.", ("who",), registry=theirs)
    for who, number in values:
        counts.labels(who).inc(number)
        counter.labels(who).inc(number)
    assert page(ours) == page(theirs)


def page(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
