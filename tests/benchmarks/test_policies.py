"""The benchmark of decisions: its engine and its bars."""

import pytest
from benchmarks.policies.caching_engine import Queue
from benchmarks.policies.routing_bars import Course, routing_report, told

from servery.simulation.traces.synthetic import Kind, SyntheticTrace


def test_the_engines_queue_computes_what_is_not_cached() -> None:
    """One prompt after another at the set rate; whole blocks of text that were there before cost nothing."""
    queue = Queue(tokens_per_s=100.0, cache_tokens=1_000, block_tokens=10)
    text = "".join(chr(97 + place) * 40 for place in range(5))
    assert queue.take(text, 10.0) == (pytest.approx(10.5), 50, 0)
    assert queue.take(text[:120] + "x" * 80, 10.0) == (pytest.approx(10.7), 50, 30)
    assert queue.take(text, 20.0) == (pytest.approx(20.01), 50, 49)


def test_bars_are_told_and_summed_up() -> None:
    """One that is missed is shown as such, and counts."""
    text, met = told([("one", True), ("two", False)])
    assert text == "  met     one\n  MISSED  two\n"
    assert not met


def test_the_routing_table_has_a_row_for_each_policy() -> None:
    """And its bars below."""
    trace = SyntheticTrace(Kind.CHAT, requests=200, requests_per_s=20.0, accounts=2, seed=1)
    text, _ = routing_report([Course("made up", trace, 400_000)])
    for name in ("servery", "round robin", "least requests", "prefix hash", "cache aware", "oracle"):
        assert f"\n{name} " in text
    assert text.count("MISSED") + text.count("  met ") == 4
