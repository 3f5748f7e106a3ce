"""The table and the bars, from results that are known."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.bars import bars
from benchmarks.load import LoadReport, Spread
from benchmarks.plot import bar_width, plot
from benchmarks.report import bars_table, comparison_table, growth_table, report
from benchmarks.results import Growth, HeldStreams, Results, Row, decoded, encoded


def measured(*, cpu_us: float, first_byte_s: float = 0.001) -> LoadReport:
    """A window of a second with 1,000 requests and as many chunks."""
    return LoadReport(
        window_s=1.0,
        requests=1000,
        chunks=1000,
        received_bytes=1,
        errors={},
        first_byte=Spread(count=1, p50_s=first_byte_s, p99_s=2 * first_byte_s, max_s=first_byte_s),
        gaps=Spread(count=1, p50_s=0.1, p99_s=0.1, max_s=0.2),
        open_at_end=2000,
        watched_cpu_s=cpu_us * 1000 / 1e6,
        client_cpu_s=0.0,
        pss_bytes=2000 * 1024 * 50,
    )


def row(name: str, *, request_us: float, chunk_us: float, first_byte_s: float = 0.001) -> Row:
    return Row(
        name=name,
        version="1",
        json=[measured(cpu_us=request_us)],
        streams=[measured(cpu_us=chunk_us, first_byte_s=first_byte_s)],
    )


RESULTS = Results(
    machine="a machine",
    finished="2026-11-20",
    rounds=1,
    rows=[
        row("direct", request_us=0, chunk_us=0),
        row("Servery", request_us=40, chunk_us=12, first_byte_s=0.002),
        row("nginx", request_us=20, chunk_us=10),
        row("sglang-router, round robin", request_us=50, chunk_us=10),
        row("sglang-router, cache_aware", request_us=80, chunk_us=20),
        Row(name="LiteLLM proxy", version="", failures={"all": "not installed: no | network"}),
    ],
    held=HeldStreams(
        streams=2000,
        gap_ms=100,
        held_s=10,
        idle_rss_bytes=0,
        idle_pss_bytes=0,
        gateway=measured(cpu_us=12),
        direct=measured(cpu_us=0),
    ),
    growth=[
        Growth(of="streams", unit="chunk", costs=[(1, 50.0), (20, 10.0), (2000, 14.0)], nginx=[(1, 9.0), (2000, 11.5)]),
        Growth(of="bytes of prompt", unit="request", costs=[(1000, 100.0), (2000, 110.0), (4000, 130.0)]),
    ],
)


def found() -> dict[str, tuple[float | None, bool | None]]:
    return {bar.what: (None if bar.found is None else round(bar.found, 6), bar.holds) for bar in bars(RESULTS)}


def test_bars_are_ratios_within_the_run() -> None:
    """Each is ours over theirs, and holds up to its bound and not beyond."""
    assert found()["CPU per chunk, of nginx's"] == (1.2, True)
    assert found()["CPU per chunk, of sglang-router's"] == (1.2, False)
    assert found()["CPU per JSON request, of sglang-router's"] == (0.8, True)
    assert found()["CPU per chunk, of sglang-router's with cache_aware"] == (0.6, True)
    assert found()["CPU per JSON request, of sglang-router's with cache_aware"] == (0.5, True)
    assert found()["time to first token p99 at 200 streams, over direct"] == (2.0, True)
    assert found()["memory of each of 2,000 streams"] == (50.0, True)
    assert found()["longest gap between chunks at 2,000 streams, of the median"] == (2.0, True)


def test_a_bar_without_its_peer_is_not_measured() -> None:
    """A peer that could not be installed is no reason to claim a ratio."""
    assert found()["CPU per JSON request, of LiteLLM proxy's"] == (None, None)
    assert "not measured" in bars_table(RESULTS)


def test_growth_is_flat_or_straight() -> None:
    """The most is held against the cheapest, not against one stream alone; of prompts, what an added byte costs."""
    assert found()["CPU per chunk at 2,000 streams, of the least with fewer"] == (1.4, False)
    assert found()["CPU per added byte of prompt towards 4,000, of that before"] == (1.0, True)


def test_growth_stands_beside_that_of_nginx() -> None:
    """Where it was measured for both."""
    lines = report(RESULTS, plot="a.svg").splitlines()
    assert any(line.startswith("| of nginx | 9.00 |") and line.endswith("| 11.5 |") for line in lines)
    assert sum(line.startswith("| of nginx") for line in lines) == 1


def test_the_first_request_of_each_is_told_apart() -> None:
    """What is read once costs once: it stands below what every request costs, where it was measured."""
    growth = Growth(of="accounts", unit="request", costs=[(1, 100.0), (10, 110.0)], first_uses=[(10, 300.0)])
    last = growth_table(growth).splitlines()[-1]
    assert last.startswith("| the first of each | ")
    assert last.endswith(" | 300 |")
    assert "the first of each" not in report(RESULTS, plot="a.svg")


def test_the_table_has_a_line_for_each_gateway() -> None:
    """Costs stand with their multiples of nginx's, time to the first token with direct's taken off, failures with their
    reason, in cells that do not break the table."""
    lines = comparison_table(RESULTS).splitlines()
    assert "| Servery | 1 | 40.0 | 2.00 | 1,000 | 12.0 | 1.20 | 1,000 | 1.00 / 2.00 |" in lines
    assert any(line.startswith("| LiteLLM proxy |") and "not installed: no / network" in line for line in lines)
    assert len({line.count("|") for line in lines}) == 1


def test_what_was_not_answered_is_told() -> None:
    """Errors stand below the table."""
    failing = Row(name="x", version="1", failures={"streams": "no answers: {'status 500': 3}"})
    assert "x: streams: no answers" in report(Results(**{**_fields(), "rows": [failing]}), plot="a.svg")


def test_results_survive_being_kept() -> None:
    """What a run has written draws the same document again."""
    assert report(decoded(encoded(RESULTS)), plot="a.svg") == report(RESULTS, plot="a.svg")


def test_the_document_names_its_picture_and_the_method() -> None:
    """By links that lead somewhere from docs/."""
    text = report(RESULTS, plot="benchmarks.svg")
    assert "](benchmarks.svg)" in text
    assert "](../benchmarks/README.md)" in text
    assert (Path(__file__).parents[2] / "benchmarks/README.md").exists()


def test_the_picture_is_a_document_with_all_that_was_measured() -> None:
    """It is well-formed, and a gateway without figures is not in it."""
    text = "".join(ElementTree.fromstring(plot(RESULTS)).itertext())
    assert "sglang-router, round robin" in text
    assert "LiteLLM" not in text


def test_bars_in_the_picture_grow_with_the_cost() -> None:
    """On a logarithmic scale: ten times more is as much wider anywhere."""
    widths = [bar_width(value, [1, 1000]) for value in (1, 10, 100, 1000)]
    steps = [round(wide - narrow, 6) for narrow, wide in pairwise(widths)]
    assert widths[0] > 0
    assert len(set(steps)) == 1
    assert steps[0] > 0


def _fields() -> dict[str, object]:
    return {name: getattr(RESULTS, name) for name in RESULTS.__struct_fields__}
