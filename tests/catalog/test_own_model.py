"""The catalog that is made for a user's own model."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.engine import EmbeddedEngine
from servery.catalog.own_model import SMALL_BELOW_BYTES, model_id, own_model_catalog
from servery.core.misconfigured import Misconfigured
from servery.core.resource_name import checked_resource_id
from servery.core.serving_path import Endpoint

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("Qwen2.5-0.5B-Instruct", "qwen2p5-0p5b-instruct"),
        ("gemma-3-1b-it.Q4_K_M", "gemma-3-1b-it-q4-k-m"),
        ("--", "model"),
        ("x" * 80, "x" * 58),
    ],
)
def test_an_id_is_made_from_a_name(stem: str, expected: str) -> None:
    """Dots between digits become p, as in other ids; what an id cannot hold becomes a hyphen."""
    assert model_id(stem) == expected


@given(st.text())
def test_any_name_gives_an_id_that_leaves_room_for_the_router(stem: str) -> None:
    """Whatever a file is called, its id and its router's id are valid."""
    checked_resource_id(model_id(stem) + "-fast")


@pytest.mark.parametrize(
    ("size_bytes", "cores", "shared", "threads"),
    [(1000, 2, 2, 1), (1000, 12, 2, 4), (SMALL_BELOW_BYTES, 12, 1, 6), (SMALL_BELOW_BYTES, 1, 1, 1)],
)
def test_replicas_and_threads_fit_the_machine(
    tmp_path: Path, size_bytes: int, cores: int, shared: int, threads: int
) -> None:
    """Large weights get fewer replicas; all replicas together use no more threads than there are cores."""
    file = tmp_path / "My Model's 1.5.gguf"
    with file.open("wb") as weights:
        weights.truncate(size_bytes)
    catalog = own_model_catalog(str(file), cores=cores, today=TODAY)
    pool = catalog.pools["shared"]
    assert isinstance(pool.engine, EmbeddedEngine)
    assert (pool.replica_count, pool.engine.threads, pool.engine.model.file) == (shared, threads, file)
    offer = catalog.offer("accounts/servery/routers/my-model-s-1p5-fast", Endpoint.CHAT, priority=False, today=TODAY)
    assert offer.pool == "fast"
    assert catalog.has_priority("accounts/servery/models/my-model-s-1p5")


def test_a_hugging_face_name_keeps_its_quantization() -> None:
    """``org/repository:quantization`` is handed to the engine as it is; the id is the repository's."""
    catalog = own_model_catalog("someone/Tiny-2.0-GGUF:Q8_0", cores=2, today=TODAY, account="acme")
    engine = catalog.pools["fast"].engine
    assert isinstance(engine, EmbeddedEngine)
    assert (engine.model.repository, engine.model.quantization) == ("someone/Tiny-2.0-GGUF", "Q8_0")
    assert catalog.models()[0].name == "accounts/acme/models/tiny-2p0"


@pytest.mark.parametrize("model", ["missing.gguf", "just-a-name", "a/b/c", ""])
def test_what_is_no_model_is_told(model: str) -> None:
    """The fault names the option."""
    with pytest.raises(Misconfigured, match=r"^--model: "):
        own_model_catalog(model, cores=2, today=TODAY)
