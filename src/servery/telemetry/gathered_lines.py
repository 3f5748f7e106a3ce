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
        self._lines: list[str | Event] = []

    def take(self, line: "str | Event", *, at_once: bool) -> None:
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
            texts = [line if isinstance(line, str) else line.text() for line in lines]
            texts.append("")
            self._stream.write("\n".join(texts))
            self._stream.flush()


@acyclic
class Event:
    """An event that is not in words yet. Nothing that it refers to changes."""

    __slots__ = ("_created_s", "_form", "_kind")

    def __init__(self) -> None:
        self._form: TextLines | JsonLines | None = None
        self._kind: EventKind | None = None
        self._created_s = 0.0

    def came(self, form: TextLines | JsonLines, kind: EventKind, created_s: float) -> None:
        """Before it is put into words."""
        self._form = form
        self._kind = kind
        self._created_s = created_s

    def values(self) -> tuple[object, ...]:
        """Of its kind's fields, in their order."""
        raise NotImplementedError

    def words(self, kind: EventKind) -> str:
        """What a line of text says of it behind its name."""
        return "".join([f"{label}{value}" for label, value in zip(kind.labels, self.values(), strict=True)])

    def text(self) -> str:
        form, kind = self._form, self._kind
        assert form is not None, "it came"
        assert kind is not None, "it came"
        if isinstance(form, TextLines):
            return f"{form.begin(level=logging.INFO, created_s=self._created_s)}{kind.name}{self.words(kind)}"
        return form.line(kind, self.values(), level=logging.INFO, created_s=self._created_s)


@acyclic
class PlainEvent(Event):
    """One of which the values are known."""

    __slots__ = ("_values",)

    def __init__(self, values: tuple[object, ...]) -> None:
        super().__init__()
        self._values = values

    def values(self) -> tuple[object, ...]:
        return self._values


class EventWriter:
    """Writes events of one kind and of the level ``info``, past the standard library's records, which cost more than
    writing them."""

    __slots__ = ("_form", "_gathered", "_kind")

    def __init__(self, gathered: GatheredLines, form: TextLines | JsonLines, kind: EventKind) -> None:
        self._gathered = gathered
        self._form = form
        self._kind = kind

    def write(self, event: Event) -> None:
        event.came(self._form, self._kind, _now_s())
        self._gathered.take(event, at_once=False)
