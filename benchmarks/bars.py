"""What Servery means to reach, as ratios within one run: the same machine, the same engine, the same client."""

from itertools import pairwise

import msgspec

from benchmarks.results import Growth, Results, Row

FLAT = 1.3
"""A cost is flat when the last is at most so many times the least."""


class Bar(msgspec.Struct, frozen=True):
    """``found`` is none where it could not be measured. Lower is better for all of them."""

    what: str
    bound: float
    found: float | None
    unit: str = "×"

    @property
    def holds(self) -> bool | None:
        return None if self.found is None else self.found <= self.bound


def bars(results: Results) -> list[Bar]:
    """All bars, those that could not be measured included."""
    servery, nginx = results.row("Servery"), results.row("nginx")
    sglang, aware = results.row("sglang-router, round robin"), results.row("sglang-router, cache_aware")
    litellm, direct, held = results.row("LiteLLM"), results.row("direct"), results.held
    return [
        Bar("CPU per chunk, of sglang-router's", 0.7, _ratio(servery.chunk_us, sglang.chunk_us)),
        Bar("CPU per chunk, of sglang-router's with cache_aware", 0.7, _ratio(servery.chunk_us, aware.chunk_us)),
        Bar("CPU per chunk, of nginx's", 1.6, _ratio(servery.chunk_us, nginx.chunk_us)),
        Bar("CPU per JSON request, of sglang-router's", 1.0, _ratio(servery.request_us, sglang.request_us)),
        Bar(
            "CPU per JSON request, of sglang-router's with cache_aware",
            1.0,
            _ratio(servery.request_us, aware.request_us),
        ),
        Bar("CPU per JSON request, of LiteLLM proxy's", 0.01, _ratio(servery.request_us, litellm.request_us)),
        Bar("time to first token p99 at 200 streams, over direct", 3.0, _added_ms(servery, direct), "ms"),
        Bar("memory of each of 2,000 streams", 60.0, None if held is None else held.kib_per_stream, "KiB"),
        Bar(
            "longest gap between chunks at 2,000 streams, of the median",
            3.0,
            None if held is None else held.max_to_median_gap,
        ),
        *[_flatness(growth) for growth in results.growth],
    ]


def _flatness(growth: Growth) -> Bar:
    """What the most of something costs, of the cheapest with less of it; for prompts, the cost of a byte."""
    costs = growth.costs
    last = f"{costs[-1][0]:,}" if costs else "the most"
    if growth.of == "bytes of prompt":
        what = f"CPU per added byte of prompt towards {last}, of that before"
        return Bar(what, FLAT, _straightness(costs))
    what = f"CPU per {growth.unit} at {last} {growth.of}, of the least with fewer"
    return Bar(what, FLAT, _ratio(costs[-1][1], min(cost for _, cost in costs[:-1])) if len(costs) > 1 else None)


def _straightness(costs: list[tuple[int, float]]) -> float | None:
    """The slope of the last step over that of the step before: 1 is a straight line."""
    slopes = [(cost - before) / (count - fewer) for (fewer, before), (count, cost) in pairwise(costs)]
    return _ratio(slopes[-1], slopes[-2]) if len(slopes) > 1 else None


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _added_ms(ours: Row, direct: Row) -> float | None:
    if ours.first_byte_p99_s is None or direct.first_byte_p99_s is None:
        return None
    return (ours.first_byte_p99_s - direct.first_byte_p99_s) * 1000
