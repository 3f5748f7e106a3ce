"""An event as one line: text for people, or JSON for machines."""

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES: Final = {level: logging.getLevelName(level).lower().ljust(7) for level in _LEVELS}


class EventKind:
    """Events of one name, with the same fields. ``labels``: what a line of text has before the value of each."""

    __slots__ = ("fields", "labels", "name")

    def __init__(self, name: str, fields: tuple[str, ...]) -> None:
        self.name = name
        self.fields = fields
        self.labels = [f"  {field}=" for field in fields]


class TextLines:
    """``18:45:00.123 info  request ended  model=… tokens=…``."""

    __slots__ = ("_clock_time", "_seconds")

    def __init__(self) -> None:
        self._seconds = -1
        self._clock_time = ""

    def line(self, kind: EventKind, values: tuple[object, ...], *, level: int, created_s: float) -> str:
        """``created_s`` since the epoch; ``values`` of the kind's fields, in their order."""
        seconds = int(created_s)
        if seconds != self._seconds:
            self._seconds = seconds
            self._clock_time = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
        thousandths = str(int((created_s - seconds) * 1_000)).zfill(3)
        pieces = [self._clock_time, ".", thousandths, " ", _LEVEL_NAMES[level], " ", kind.name]
        for place, label in enumerate(kind.labels):  # a template with so many places takes three times as long
            pieces.append(label)
            pieces.append(str(values[place]))
        return "".join(pieces)


class JsonLines:
    """``time`` (RFC 3339), ``level``, ``event``, and the event's own fields."""

    __slots__ = ()

    def line(self, kind: EventKind, values: tuple[object, ...], *, level: int, created_s: float) -> str:
        """As ``TextLines.line``."""
        moment = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {"time": moment, "level": _LEVEL_NAMES[level].rstrip(), "event": kind.name}
        entry.update(zip(kind.fields, values, strict=True))
        return msgspec.json.encode(entry).decode()
