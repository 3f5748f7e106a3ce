"""The benchmark of decisions: its engine and its bars."""

import asyncio

from benchmarks.policies.caching_engine import Prompt, Queue
from benchmarks.policies.routing_bars import Course, routing_report, told

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
    await asyncio.wait_for(all_are.wait(), 10)
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
    assert await asyncio.wait_for(done, 30) is again


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
