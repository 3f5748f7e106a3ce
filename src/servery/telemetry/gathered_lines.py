"""Lines that are written a tenth of a second's worth at a time, so that a busy platform does not pay for a write with
each request. Events that come often are put into words then, too: one after the other that costs less."""

import asyncio
import logging
import time
from typing import IO, Final

from servery.core.acyclic import acyclic
from servery.telemetry.event_line import EventKind, JsonLines, TextLines

_GATHER_S: Final = 0.1
_MOST_LINES: Final = 256
_now_s: Final = time.time


class GatheredLines:
    """What comes without an event loop is written at once."""

    __slots__ = ("_lines", "_stream")

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str | _Event] = []

    def take(self, line: "str | _Event", *, at_once: bool) -> None:
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
            lines, self._lines = self._lines, []
            text = "\n".join([line if isinstance(line, str) else line.text() for line in lines])
            self._stream.write(text + "\n")
            self._stream.flush()


@acyclic
class _Event:
    """An event that is not in words yet. ``values`` of its kind's fields are such as do not change."""

    __slots__ = ("_created_s", "_form", "_kind", "_values")

    def __init__(
        self, form: TextLines | JsonLines, kind: EventKind, values: tuple[object, ...], created_s: float
    ) -> None:
        self._form = form
        self._kind = kind
        self._values = values
        self._created_s = created_s

    def text(self) -> str:
        return self._form.line(self._kind, self._values, level=logging.INFO, created_s=self._created_s)


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
        self._gathered.take(_Event(self._form, self._kind, values, _now_s()), at_once=False)
