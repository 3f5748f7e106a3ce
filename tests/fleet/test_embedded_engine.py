"""How the embedded engine is set up."""

import msgspec
import pytest

from servery.fleet.embedded_engine import parameters
from servery.fleet.engine_order import EngineOrder

ORDER = EngineOrder(
    name="demo",
    api_key="secret",
    slots=4,
    context_length=512,
    threads=2,
    embeddings=False,
    model_file="/models/demo.gguf",
)


def test_each_slot_has_the_whole_context() -> None:
    """The server divides its context among the slots, and nothing shares them."""
    found = parameters(ORDER)
    assert found.n_parallel == 4
    assert found.n_ctx == 4 * 512
    assert found.kv_unified is False
    assert (found.cpuparams.n_threads, found.cpuparams_batch.n_threads) == (2, 2)
    assert found.model.path == "/models/demo.gguf"


def test_nothing_of_one_tenant_reaches_another() -> None:
    """No prompt store across slots, no choice of slots by likeness."""
    found = parameters(ORDER)
    assert found.cache_ram_mib == 0
    assert found.slot_prompt_similarity == 0.0


def test_nobody_else_reaches_the_engine() -> None:
    """Loopback only, on a free port, with a key."""
    found = parameters(ORDER)
    assert list(found.hostnames) == ["127.0.0.1"]
    assert found.port == 0
    assert list(found.api_keys) == ["secret"]


@pytest.mark.parametrize("embeddings", [True, False])
def test_embeddings_are_switched_on_where_ordered(embeddings: bool) -> None:
    """Else the engine would refuse them, or refuse to chat."""
    assert parameters(msgspec.structs.replace(ORDER, embeddings=embeddings)).embedding is embeddings
