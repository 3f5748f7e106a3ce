"""Stops the task that serves a request from within, so that it can be served again later, and nobody notices."""

import asyncio
from typing import Any

from servery.engines.exchange import Exchange


class Recall:
    """May stop ``task``, in which it is made. ``exchanges`` are what runs at engines meanwhile: they are aborted at
    once, so that nothing of them is passed on once the request was called back."""

    __slots__ = ("_cancelled_before", "_is_called", "_task", "exchanges")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.exchanges: list[Exchange] = []
        self._task = task
        self._cancelled_before = task.cancelling()
        self._is_called = False

    def call(self) -> None:
        """The request is called back: what its task awaits raises CancelledError."""
        self._is_called = True
        for exchange in self.exchanges:
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
