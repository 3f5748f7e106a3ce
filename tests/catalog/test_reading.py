"""A catalog's text, and the faults that are told of it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.catalog import Catalog
from servery.catalog.document import Document
from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.reading import read_catalog
from servery.catalog.source import catalog_from_file
from servery.core.misconfigured import Misconfigured
from servery.core.serving_path import Endpoint, ServingPath

TODAY = date(2026, 11, 20)
GOOD = """\
account: servery
pools:
  shared:
    engine: {kind: embedded, model: demo, slots: 4, context_length: 2048}
    concurrency: 4
  upstream:
    engine:
      kind: url
      family: vllm
      urls: ["http://10.0.0.5:8000", "https://10.0.0.6/base"]
      served_model: m
      api_key_env: VLLM_KEY
    concurrency: 64
models:
  m:
    pool: shared
    context_length: 2048
    capabilities: [chat, completions]
    prices:
      standard: {input: 0.10, output: 0.40}
    created: 2026-11-20
routers:
  m-fast:
    model: m
    pool: upstream
    prices: {input: 0.20, output: 0.80}
"""


def read(text: str) -> Catalog:
    return read_catalog(text, source="catalog.yaml", directory=Path(), today=TODAY)


def faults(text: str) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        read(text)
    return str(raised.value).splitlines()


def test_a_good_catalog_is_read_whole() -> None:
    """Text becomes typed values; what is left out takes its documented default."""
    catalog = read(GOOD)
    shared, upstream = catalog.pools["shared"], catalog.pools["upstream"]
    assert isinstance(shared.engine, EmbeddedEngine)
    assert (shared.engine.threads, shared.queue, shared.replica_count) == (1, 128, 1)
    assert isinstance(upstream.engine, UrlEngine)
    assert (upstream.replica_count, upstream.engine.api_key_env) == (2, "VLLM_KEY")
    assert catalog.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("concurrency: 4", "concurrency: four", "5: pools.shared.concurrency: expected a whole number, got 'four'"),
        ("concurrency: 4", "concurrency: 5", "5: pools.shared.concurrency: a replica has 4 slots"),
        ("concurrency: 4", "concurrancy: 4", "5: pools.shared.concurrancy: unknown"),
        ("concurrency: 64", "concurrency:", "13: pools.upstream.concurrency: has no value"),
        ("concurrency: 64", "concurrency: 64\n    replicas: 2", "14: pools.upstream.replicas: each URL is one replica"),
        ("family: vllm", "family: vlm", "9: pools.upstream.engine.family: 'vlm' is none of llama.cpp, vllm, sglang"),
        ("family: vllm", "family: vllm\n      slots: 64", "10: pools.upstream.engine.slots: only llama.cpp has slots"),
        (
            "family: vllm",
            "family: llama.cpp\n      slots: 8",
            "14: pools.upstream.concurrency: a replica has 8 slots and serves no more",
        ),
        ("kind: url", "kind: web", "8: pools.upstream.engine.kind: 'web' is none of embedded, url"),
        ("kind: embedded, ", "", "4: pools.shared.engine.kind: missing"),
        ('"http://10.0.0.5:8000"', '"ftp://x"', "10: pools.upstream.engine.urls.0: "),
        ("https://10.0.0.6/base", "http://10.0.0.5:8000", "10: pools.upstream.engine.urls: a URL is given twice"),
        ("model: demo", "model: demon", "4: pools.shared.engine.model: 'demon' is neither 'demo'"),
        ("model: demo", "model: no/such.gguf", "4: pools.shared.engine.model: there is no file no/such.gguf"),
        ("pool: shared", "pool: shard", "16: models.m.pool: there is no pool 'shard'"),
        ("    pool: shared\n", "", "15: models.m.pool: missing"),
        ("context_length: 2048\n", "context_length: 4096\n", "17: models.m.context_length: the slots of pool 'shared'"),
        ("completions]", "sing]", "18: models.m.capabilities.1: 'sing' is none of chat, completions, embeddings"),
        ("completions]", "embeddings]", "18: models.m.capabilities: embeddings need a pool"),
        ("[chat, completions]", "[]", "18: models.m.capabilities: "),
        ("input: 0.10", "input: ten", "20: models.m.prices.standard.input: 'ten' is not an amount of dollars"),
        ("input: 0.10", "input: 0.0000001", "20: models.m.prices.standard.input: 0.0000001 is finer than"),
        ("input: 0.10", "input: 0.000001", "20: models.m.prices.standard: half of input is finer than"),
        ("input: 0.10", "input: 0.1, cached_input: 0.2", "20: models.m.prices.standard: cached_input costs more"),
        ("input: 0.10, output: 0.40", "input: 0.10", "20: models.m.prices.standard.output: missing"),
        ("2026-11-20", "20.11.2026", "21: models.m.created: expected a date such as 2026-11-20, got '20.11.2026'"),
        ("created:", "sampling: {tempo: 3}\n    created:", "21: models.m.sampling.tempo: unknown"),
        ("created:", "sampling: {temperature: 3}\n    created:", "21: models.m.sampling.temperature: "),
        ("created:", "sampling: {top_k: -1}\n    created:", "21: models.m.sampling.top_k: "),
        (
            "created:",
            "sampling: {min_tokens: 3}\n    created:",
            "21: models.m.sampling.min_tokens: not supported by the llama.cpp engines of pool 'shared'",
        ),
        (
            "created:",
            "sampling: {typical_p: 0.5}\n    created:",
            "26: routers.m-fast.pool: the model's sampling.typical_p is not supported by the vllm engines",
        ),
        ("created:", "deprecation_date: 2026-11-19\n    created:", "21: models.m.deprecation_date: is before"),
        ("  model: m\n", "  model: n\n", "24: routers.m-fast.model: there is no model 'n'"),
        ("pool: upstream", "pool: down", "25: routers.m-fast.pool: there is no pool 'down'"),
        ("pool: upstream", "serving_path: slow", "25: routers.m-fast.serving_path: 'slow' is none of standard"),
        ("pool: upstream", "serving_path: priority", "25: routers.m-fast.serving_path: Priority is asked for by"),
        ("    prices: {input: 0.20, output: 0.80}\n", "", "23: routers.m-fast.prices: missing: the model has no fast"),
        ("  m-fast:", "  M_fast:", "23: routers.M_fast: 'M_fast' is not an id"),
        ("account: servery", "account: [a]", "1: account: expected an id"),
        ("account: servery", "acount: servery", "1: acount: unknown; the keys are account, pools, models, routers"),
        ("    pool: shared\n", "    pool: shared\n    pool: upstream\n", "17: models.m.pool: given twice"),
        ("    pool: shared\n", "    name: x\n    pool: shared\n", "16: models.m.name: unknown"),
        (
            "{input: 0.10, output: 0.40}",
            "&row {input: 0.10, output: 0.40}\n      priority: *row",
            "21: models.m.prices",
        ),
        ("  m:\n", "  m: 3\n  n:\n", "15: models.m: expected a mapping"),
        ("pool: shared", "pool: {a: b}", "16: models.m.pool: expected text, got a mapping"),
    ],
)
def test_each_fault_names_file_line_and_field(old: str, new: str, fault: str) -> None:
    """One fault in an otherwise good catalog is told on one line that begins with where it stands."""
    assert GOOD.count(old) >= 1, "the case changes something"
    told = faults(GOOD.replace(old, new, 1))
    assert any(line.startswith(f"catalog.yaml:{fault}") for line in told), told


def test_all_faults_are_told_at_once_in_the_files_order() -> None:
    """An operator mends a file in one go."""
    told = faults(GOOD.replace("concurrency: 4", "concurrency: x").replace("family: vllm", "family: y"))
    assert [line.split(": ")[0] for line in told] == ["catalog.yaml:5", "catalog.yaml:9"]


def test_what_is_not_yaml_is_told_with_its_line() -> None:
    """A syntax error is a fault like any other."""
    assert faults("pools:\n  a: [1\n")[0].startswith("catalog.yaml:3: not YAML")
    assert faults("- a\n")[0].startswith("catalog.yaml:1: expected a mapping with the keys account, pools, models")
    assert faults("[" * 100_000)[0].startswith("catalog.yaml: not YAML, or nested too deeply")


def test_a_catalog_without_models_is_refused() -> None:
    """A platform that could answer nothing does not start."""
    told = faults("account: servery\n")
    assert told == ["catalog.yaml:1: models: at least one is needed", "catalog.yaml:1: pools: at least one is needed"]


@pytest.mark.parametrize(
    ("end", "warning"),
    [("2026-11-20", "is 0 days ahead"), ("2026-12-03", "is 13 days ahead"), ("2026-12-04", None), (None, None)],
)
def test_an_end_without_two_weeks_notice_is_a_warning(end: str | None, warning: str | None) -> None:
    """Less than 14 days before its end a model is still served, and the operator is told."""
    text = GOOD if end is None else GOOD.replace("created:", f"deprecation_date: {end}\n    created:", 1)
    warnings = read(text).warnings
    assert [warning in line for line in warnings if warning is not None] == ([True] if warning else [])
    assert len(warnings) == (0 if warning is None else 1)


def test_a_router_inherits_what_it_leaves_out() -> None:
    """A router to Standard without pool and price is another name of the model."""
    text = GOOD[: GOOD.index("routers:")] + "routers:\n  m-latest: {model: m, serving_path: standard}\n"
    offer = read(text).offer("accounts/servery/routers/m-latest", Endpoint.CHAT, priority=False, today=TODAY)
    assert (offer.path, offer.pool) == (ServingPath.STANDARD, "shared")
    assert offer.price.output_picodollars_per_token == 400_000


def test_scalars_stay_the_text_that_was_written() -> None:
    """No YAML word turns into a boolean, a float or a date behind the writer's back."""
    assert Document("a: {b: yes, c: 1.10, d: 2026-11-20, e: null, f: 'x'}", source="s", keys=("a",)).plain == {
        "a": {"b": "yes", "c": "1.10", "d": "2026-11-20", "e": "null", "f": "x"}
    }


@given(st.recursive(st.text("ab: \n", max_size=4), lambda inner: st.dictionaries(st.text("xyz", min_size=1), inner)))
def test_any_yaml_is_a_catalog_or_a_told_fault(tree: object) -> None:
    """Whatever a file holds, reading it ends in a catalog or in Misconfigured, never in anything else."""
    with pytest.raises(Misconfigured):
        read(yaml.safe_dump({"pools": tree, "models": tree}))


@given(st.text(max_size=60))
def test_any_text_is_a_told_fault(text: str) -> None:
    """The same for text that need not be YAML."""
    with pytest.raises(Misconfigured):
        read(text)


def test_paths_are_relative_to_the_catalogs_file(tmp_path: Path) -> None:
    """A weights file beside the catalog is found from any working directory."""
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    file = tmp_path / "catalog.yaml"
    file.write_text(GOOD.replace("model: demo", "model: own.gguf"), encoding="utf-8")
    engine = catalog_from_file(file, today=TODAY).pools["shared"].engine
    assert isinstance(engine, EmbeddedEngine)
    assert engine.model.file == tmp_path / "own.gguf"


@pytest.mark.parametrize("make", [lambda path: path / "none.yaml", lambda path: path])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """A missing file, or a directory, is told with its path and the system's reason."""
    file = make(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be read") as raised:
        catalog_from_file(file, today=TODAY)
    assert str(raised.value).startswith(str(file))


def test_shared_prompt_caches_are_warned_of() -> None:
    """A llama.cpp engine by URL whose slots are not told; told of, there is nothing to warn of."""
    (warning,) = read(GOOD.replace("family: vllm", "family: llama.cpp")).warnings
    assert "pools.upstream.engine.slots: not given: all accounts share" in warning
    assert read(GOOD.replace("family: vllm", "family: llama.cpp\n      slots: 64")).warnings == ()


ALSO = """
    also:
      - {kind: url, family: llama.cpp, urls: ["http://10.0.0.7:8080"], served_model: m, slots: 8, concurrency: 8}
"""


def test_a_pool_may_have_further_engines() -> None:
    """Of another family, with a concurrency of their own; their replicas are counted on."""
    pool = read(GOOD.replace("    concurrency: 64\n", "    concurrency: 64" + ALSO)).pools["upstream"]
    specs = pool.replica_specs()
    assert [spec.engine.family.value for spec in specs] == ["vllm", "vllm", "llama.cpp"]
    assert [spec.concurrency for spec in specs] == [64, 64, 8]
    assert specs[2].url == "http://10.0.0.7:8080"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("http://10.0.0.7:8080", "http://10.0.0.5:8000", "pools.upstream.also.0.urls: a URL is given twice"),
        (
            "concurrency: 8}",
            "concurrency: 9}",
            "pools.upstream.also.0.concurrency: a replica has 8 slots and serves no more requests than that at once",
        ),
        ("family: llama.cpp", "family: sglang", "pools.upstream.also.0.slots: only llama.cpp has slots"),
    ],
)
def test_faults_of_further_engines_are_told_with_their_place(old: str, new: str, fault: str) -> None:
    """As those of the first one are."""
    told = faults(GOOD.replace("    concurrency: 64\n", "    concurrency: 64" + ALSO.replace(old, new)))
    assert any(fault in one for one in told), told


def test_a_second_attempt_needs_a_second_replica() -> None:
    """``hedge_after_s`` is a number of seconds, off by default, and warned of where there is nobody else to ask."""
    assert read(GOOD).pools["upstream"].hedge_after_s is None
    hedged = read(GOOD.replace("concurrency: 64", "concurrency: 64\n    hedge_after_s: 1.5"))
    assert (hedged.pools["upstream"].hedge_after_s, hedged.warnings) == (1.5, ())
    (warning,) = read(GOOD.replace("concurrency: 4\n", "concurrency: 4\n    hedge_after_s: 2\n")).warnings
    assert "pools.shared.hedge_after_s: there is no second replica" in warning
    (fault,) = faults(GOOD.replace("concurrency: 64", "concurrency: 64\n    hedge_after_s: 0"))
    assert "pools.upstream.hedge_after_s" in fault
