"""Stops the task that serves a request from within, so that it can be served again later, and nobody notices."""

import asyncio
from typing import Any

from servery.engines.exchange import Exchange


class Recall:
    """May stop ``task``, in which it is made. What runs at engines meanwhile is aborted at once, so that nothing of it
    is passed on once the request was called back: as a rule one exchange, which stands here itself."""

    __slots__ = ("_cancelled_before", "_exchange", "_is_called", "_others", "_task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._exchange: Exchange | None = None
        self._others: list[Exchange] | None = None
        self._task = task
        self._cancelled_before = task.cancelling()
        self._is_called = False

    def runs(self, exchange: Exchange) -> None:
        """The engine has been asked."""
        if self._exchange is None:
            self._exchange = exchange
        elif self._others is None:
            self._others = [exchange]
        else:
            self._others.append(exchange)

    def ran(self, exchange: Exchange) -> None:
        """It is over."""
        if self._exchange is exchange:
            self._exchange = None
        else:
            assert self._others is not None, "what is over ran"
            self._others.remove(exchange)

    def call(self) -> None:
        """The request is called back: what its task awaits raises CancelledError."""
        self._is_called = True
        if self._exchange is not None:
            self._exchange.abort()
        for exchange in self._others or ():
            exchange.abort()
        self._task.cancel()

    def is_meant(self) -> bool:
        """To be asked once for each CancelledError: whether it came of ``call`` alone. Then the task goes on as if it
        had never been cancelled. False when the task was cancelled for another reason, also if it was called back too.
        """
        if not self._is_called:
            return False
        self._is_called = False
        return self._task.uncancel() <= self._cancelled_before
