"""The embedded engine's own process: a llama.cpp server on loopback (``python -m servery.fleet.embedded_engine``).

Reads one JSON line from standard input (an ``EngineOrder``), answers with one JSON line on standard output once it
listens (an ``EngineReady``), and lives until standard input closes. So it never outlives the platform, even one that
was killed; and the key it is asked with stands neither in its arguments nor in its environment.
"""

import contextlib
import os
import signal
import sys
import threading

import msgspec
import xllamacpp

from servery.fleet.engine_order import EngineOrder, EngineReady
from servery.fleet.platform_pipe import read_order_line, when_closed, write_reply_line

_VERBOSITY_WARNINGS = 1
_NICENESS = 5


def parameters(order: EngineOrder) -> xllamacpp.CommonParams:
    """The server's parameters. Its host-memory prompt store is off (``cache_ram_mib``): it would hand one tenant's
    prompts to another, and a slot's contents are kept apart by whoever chooses the slot."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path = order.model_file
    wanted.model_alias = {order.name}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.api_keys = [order.api_key]
    wanted.n_parallel = order.slots
    wanted.n_ctx = order.slots * order.context_length
    wanted.kv_unified = False
    wanted.cache_ram_mib = 0
    wanted.slot_prompt_similarity = 0.0
    wanted.cpuparams.n_threads = order.threads
    wanted.cpuparams_batch.n_threads = order.threads
    wanted.n_threads_http = order.slots + 4
    wanted.endpoint_metrics = True
    wanted.use_jinja = True
    wanted.ui = False
    wanted.verbosity = _VERBOSITY_WARNINGS
    if order.embeddings:
        wanted.embedding = True
        wanted.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return wanted


def give_way() -> None:
    """Compute when those who carry answers have nothing to do (docs/decisions/0029): a gateway, its workers and its
    clients need a thousandth of the time that an engine needs, but at once. Threads that are begun later inherit it."""
    os.nice(_NICENESS)
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):  # some sandboxes forbid even to ask for less
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main() -> None:
    """Serve until standard input closes. The platform decides when to stop: a Ctrl-C at the terminal, which concerns
    a process group, is not for us."""
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_way()
    order = msgspec.json.decode(read_order_line(), type=EngineOrder)
    when_closed(lambda: os._exit(0))
    server = xllamacpp.Server(parameters(order))
    write_reply_line(msgspec.json.encode(EngineReady(server.listening_address)))
    threading.Event().wait()


if __name__ == "__main__":
    main()
