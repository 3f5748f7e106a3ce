"""How the embedded engine is set up."""

import os
import subprocess
import sys

import msgspec
import pytest

from servery.fleet.embedded_engine import give_way, parameters
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


_LOOK = """
import os, servery.fleet.embedded_engine as engine
def told():
    print(os.getpid(), os.getpgrp(), os.getsid(0), os.nice(0), os.sched_getscheduler(0))
    raise SystemExit
engine.read_order_line = told
engine.main()
"""


def test_who_carries_answers_goes_before_who_computes_them() -> None:
    """In our session, or the cores would be shared out to it as to us; not in our process group, to which a terminal
    sends its Ctrl-C; and less urgent than we are."""
    child = subprocess.run([sys.executable, "-c", _LOOK], stdout=subprocess.PIPE, text=True, check=True)
    process, group, session, niceness, policy = map(int, child.stdout.split())
    assert group == process != os.getpgrp()
    assert session == os.getsid(0)
    assert niceness == min(19, os.nice(0) + 5)
    assert policy == os.SCHED_BATCH


def test_an_engine_starts_where_it_may_not_choose_how_it_is_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxes that forbid it are no reason not to serve."""

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    give_way()
