"""Structured logging on the standard library: one line an event, as text for people or as JSON for machines."""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import IO

import msgspec

LOGGER_NAME = "servery"

_GATHER_S = 0.1
_MOST_LINES = 256


class TextFormatter(logging.Formatter):
    """``18:45:00.123 info  request ended  model=… tokens=…``."""

    _seconds = -1.0
    _clock_time = ""

    def format(self, record: logging.LogRecord) -> str:
        seconds, fraction = divmod(record.created, 1.0)
        if seconds != self._seconds:
            self._seconds = seconds
            self._clock_time = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
        moment = f"{self._clock_time}.{int(fraction * 1_000):03d}"
        fields = "".join(f"  {name}={value}" for name, value in _fields(record).items())
        text = f"{moment} {record.levelname.lower():<7} {record.getMessage()}{fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (RFC 3339), ``level``, ``event``, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage(), **_fields(record)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


class EventLogger(logging.Logger):
    """Does not look for the line of code that logs: an event has its name, and looking costs more than the rest."""

    def findCaller(  # noqa: N802 - the name is logging's
        self,
        stack_info: bool = False,  # noqa: FBT001, FBT002
        stacklevel: int = 1,
    ) -> tuple[str, int, str, str | None]:
        return "", 0, "", None


class GatheringHandler(logging.Handler):
    """Writes lines a tenth of a second's worth at a time, so that a busy platform does not pay for a write with each
    request. What is above the level ``info``, and what comes without an event loop, is written at once."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
        if record.levelno > logging.INFO or len(self._lines) >= _MOST_LINES:
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


def set_up_logging(*, level: str, as_json: bool) -> logging.Logger:
    """Send the platform's events to standard error; returns the logger that all parts write to."""
    handler = GatheringHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logger = EventLogger(LOGGER_NAME, level.upper())
    logger.addHandler(handler)
    return logger


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = getattr(record, "fields", {})
    assert isinstance(fields, dict), "an event's fields are given by name"
    return fields
