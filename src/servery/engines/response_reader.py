"""Who reads a response."""

from abc import ABC, abstractmethod

from servery.engines.passage import Passage
from servery.engines.response_head import ResponseHead


class ResponseReader(ABC):
    """What a connection tells about the response to the request in flight on it."""

    __slots__ = ()

    @abstractmethod
    def on_head(self, head: ResponseHead) -> None: ...

    @abstractmethod
    def on_body(self, piece: bytes) -> None: ...

    @abstractmethod
    def passage(self) -> Passage | None:
        """The short way past ``on_body``, which may be taken until ``on_body`` is called again."""

    @abstractmethod
    def on_complete(self) -> None: ...

    @abstractmethod
    def on_lost(self, error: Exception | None) -> None: ...

    @abstractmethod
    def on_time(self) -> None:
        """The moment that the connection was asked to watch for has come, or an earlier one."""
