"""No gateway: the client talks to the engine. What is added to this is the gateway's doing."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.peer import Gateway
from benchmarks.place import Place


class Direct:
    name = "direct"

    def install(self, place: Place) -> str:
        del place
        return "the engine itself"

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        del place
        yield Gateway(port=engine_ports[0])
