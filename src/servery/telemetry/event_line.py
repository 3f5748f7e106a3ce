"""An event as one line: text for people, or JSON for machines."""

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES: Final = {level: logging.getLevelName(level).lower() for level in _LEVELS}
_LEVEL_WORDS: Final = {level: f" {name:<7} " for level, name in _LEVEL_NAMES.items()}
_THOUSANDTHS: Final = [f".{number:03}" for number in range(1_000)]
_KNOWN_BELOW: Final = 1_000
_NUMBERS: Final = [str(number) for number in range(_KNOWN_BELOW)]


def number_word(number: int) -> str:
    """``number`` in decimal digits. Most that are told are small, and looked up."""
    return _NUMBERS[number] if 0 <= number < _KNOWN_BELOW else str(number)


class EventKind:
    """Events of one name, with the same fields. ``labels`` stand before the values of these in a line of text."""

    __slots__ = ("fields", "labels", "name")

    def __init__(self, name: str, fields: tuple[str, ...]) -> None:
        self.name = name
        self.fields = fields
        self.labels = [f"  {field}=" for field in fields]


class TextLines:
    """``18:45:00.123 info  request ended  model=… tokens=…``."""

    __slots__ = ("_begun", "_clock_time", "_level", "_milliseconds", "_seconds")

    def __init__(self) -> None:
        self._seconds = self._milliseconds = -1
        self._level = logging.NOTSET
        self._clock_time = ""
        self._begun = ""

    def begin(self, *, level: int, created_s: float) -> str:
        """What stands before the event's name. ``created_s`` since the epoch."""
        seconds = int(created_s)
        if seconds != self._seconds:
            self._seconds = seconds
            self._clock_time = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
            self._milliseconds = -1
        milliseconds = int((created_s - seconds) * 1_000)
        if milliseconds != self._milliseconds or level != self._level:  # many come in one where there are many
            self._milliseconds, self._level = milliseconds, level
            self._begun = f"{self._clock_time}{_THOUSANDTHS[milliseconds]}{_LEVEL_WORDS[level]}"
        return self._begun

    def line(self, kind: EventKind, values: tuple[object, ...], *, level: int, created_s: float) -> str:
        """``values`` of the kind's fields, in their order."""
        told = "".join([f"{label}{value}" for label, value in zip(kind.labels, values, strict=True)])
        return f"{self.begin(level=level, created_s=created_s)}{kind.name}{told}"


class JsonLines:
    """``time`` (RFC 3339), ``level``, ``event``, and the event's own fields."""

    __slots__ = ()

    def line(self, kind: EventKind, values: tuple[object, ...], *, level: int, created_s: float) -> str:
        """As ``TextLines.line``."""
        moment = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {"time": moment, "level": _LEVEL_NAMES[level], "event": kind.name}
        entry.update(zip(kind.fields, values, strict=True))
        return msgspec.json.encode(entry).decode()
