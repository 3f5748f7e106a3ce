"""Lines that are written a tenth of a second's worth at a time, so that a busy platform does not pay for a write with
each request."""

import asyncio
import logging
import time
from typing import IO, Final

from servery.telemetry.event_line import EventKind, JsonLines, TextLines

_GATHER_S: Final = 0.1
_MOST_LINES: Final = 256


class GatheredLines:
    """What comes without an event loop is written at once."""

    __slots__ = ("_lines", "_stream")

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []

    def take(self, line: str, *, at_once: bool) -> None:
        self._lines.append(line)
        if at_once or len(self._lines) >= _MOST_LINES:
            self.flush()
        elif len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(_GATHER_S, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        if self._lines:
            text = "\n".join(self._lines) + "\n"
            self._lines.clear()
            self._stream.write(text)
            self._stream.flush()


class EventWriter:
    """Writes events of one kind and of the level ``info``, past the standard library's records, which cost more than
    writing them."""

    __slots__ = ("_form", "_gathered", "_kind")

    def __init__(self, gathered: GatheredLines, form: TextLines | JsonLines, kind: EventKind) -> None:
        self._gathered = gathered
        self._form = form
        self._kind = kind

    def write(self, values: tuple[object, ...]) -> None:
        """``values`` of the kind's fields, in their order."""
        line = self._form.line(self._kind, values, level=logging.INFO, created_s=time.time())
        self._gathered.take(line, at_once=False)
