"""An event as one line: text for people, or JSON for machines."""

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES: Final = {level: logging.getLevelName(level).lower() for level in _LEVELS}
_LEVEL_WORDS: Final = {level: f" {name:<7} " for level, name in _LEVEL_NAMES.items()}
_THOUSANDTHS: Final = [f".{number:03}" for number in range(1_000)]
_NUMBERS: Final = [str(number) for number in range(1_000)]
_FIRST_VALUE: Final = 5


class EventKind:
    """Events of one name, with the same fields. ``pieces`` are those of a line of text, empty where the time, its
    thousandths, the level and, behind their labels, the values go."""

    __slots__ = ("fields", "name", "pieces")

    def __init__(self, name: str, fields: tuple[str, ...]) -> None:
        self.name = name
        self.fields = fields
        self.pieces = ["", "", "", name]
        for field in fields:
            self.pieces += [f"  {field}=", ""]


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
        pieces = kind.pieces.copy()  # a template with so many places takes three times as long
        pieces[0] = self._clock_time
        pieces[1] = _THOUSANDTHS[int((created_s - seconds) * 1_000)]
        pieces[2] = _LEVEL_WORDS[level]
        place = _FIRST_VALUE
        for value in values:
            if isinstance(value, str):
                pieces[place] = value
            elif type(value) is int and 0 <= value < 1_000:
                pieces[place] = _NUMBERS[value]
            else:
                pieces[place] = str(value)
            place += 2
        return "".join(pieces)


class JsonLines:
    """``time`` (RFC 3339), ``level``, ``event``, and the event's own fields."""

    __slots__ = ()

    def line(self, kind: EventKind, values: tuple[object, ...], *, level: int, created_s: float) -> str:
        """As ``TextLines.line``."""
        moment = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {"time": moment, "level": _LEVEL_NAMES[level], "event": kind.name}
        entry.update(zip(kind.fields, values, strict=True))
        return msgspec.json.encode(entry).decode()
