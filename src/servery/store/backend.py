"""What a database offers to ``Database``, whichever it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from servery.store.connection import Connection
from servery.store.transaction import Writer

T = TypeVar("T")


class Backend(Protocol):
    """An opened database whose schema is up to date."""

    @property
    def is_in_place(self) -> bool:
        """Whether what was opened is still what is found there. Does not block."""
        ...

    @property
    def writer(self) -> Writer:
        """For the writer's thread alone."""
        ...

    @property
    def reader(self) -> Connection:
        """For short reads that may block the calling thread."""
        ...

    async def look_up(self, read: Callable[[Connection], T]) -> T:
        """A short read that does not block the event loop. Raises Overloaded when the database does not answer."""
        ...

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A connection of its own that sees one unchanging state. Blocks the thread it is used on."""
        ...

    async def wait_configuration_changed(self, *, timeout_s: float) -> None:
        """Returns when another process may have changed the configuration, at the latest after ``timeout_s``."""
        ...

    def close(self) -> None: ...
