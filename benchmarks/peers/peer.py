"""What the harness asks of each gateway."""

from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from benchmarks.place import Place


class NotInstalled(Exception):
    """A peer cannot be had on this machine; the message says why."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One that is running. ``pid`` is the root of its process tree; none: the engine itself, without a gateway."""

    port: int
    path: str = "/v1/chat/completions"
    model: str = "mock"
    authorizations: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    pid: int | None = None


class Peer(Protocol):
    """A gateway that can be installed and started before mock engines."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    def install(self, place: Place) -> str:
        """Make it ready to start, downloading it on the first run; returns its version. Raises NotInstalled."""

    def started(self, place: Place, engine_ports: list[int]) -> AbstractContextManager[Gateway]:
        """It runs within the block. Raises NotStarted."""
