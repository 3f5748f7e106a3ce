"""Structured logging on the standard library: one line an event, as text for people or as JSON for machines."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO

import msgspec

LOGGER_NAME = "servery"

_GATHER_S = 0.1
_MOST_LINES = 256

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES = {level: logging.getLevelName(level).lower().ljust(7) for level in _LEVELS}


class TextFormatter(logging.Formatter):
    """``18:45:00.123 info  request ended  model=… tokens=…``."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = -1
        self._clock_time = ""
        self._templates: dict[tuple[str, ...], str] = {}  # as many as there are kinds of event in the code

    def format(self, record: logging.LogRecord) -> str:
        text = self.line(record.created, record.levelno, record.getMessage(), _fields(record))
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text

    def line(self, created_s: float, level: int, event: str, fields: Mapping[str, object]) -> str:
        """``created_s`` since the epoch."""
        seconds = int(created_s)
        if seconds != self._seconds:
            self._seconds = seconds
            self._clock_time = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
        template = self._templates.get((event, *fields))
        if template is None:
            template = self._templates[event, *fields] = _template(event, fields)
        thousandths = int((created_s - seconds) * 1_000)
        return template % (self._clock_time, thousandths, _LEVEL_NAMES[level], *fields.values())


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (RFC 3339), ``level``, ``event``, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_fields(record))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self.line(record.created, record.levelno, record.getMessage(), fields)

    def line(self, created_s: float, level: int, event: str, fields: Mapping[str, object]) -> str:
        """``created_s`` since the epoch."""
        moment = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
        entry = {"time": moment, "level": _LEVEL_NAMES[level].rstrip(), "event": event, **fields}
        return msgspec.json.encode(entry).decode()


Write = Callable[[str, Mapping[str, object]], None]
"""Writes an event: (name, fields)."""


class EventLogger(logging.Logger):
    """Does not look for the line of code that logs: an event has its name, and looking costs more than the rest."""

    gathering: "GatheringHandler | None" = None

    def findCaller(  # noqa: N802 - the name is logging's
        self,
        stack_info: bool = False,  # noqa: FBT001, FBT002
        stacklevel: int = 1,
    ) -> tuple[str, int, str, str | None]:
        return "", 0, "", None


class GatheringHandler(logging.Handler):
    """Writes lines a tenth of a second's worth at a time, so that a busy platform does not pay for a write with each
    request. What is above the level ``info``, and what comes without an event loop, is written at once."""

    def __init__(self, stream: IO[str], formatter: TextFormatter | JsonFormatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._line = formatter.line
        self._stream = stream
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record), at_once=record.levelno > logging.INFO)

    def write(self, event: str, fields: Mapping[str, object]) -> None:
        """An event of the level ``info``, past the standard library's records, which cost more than writing it."""
        self._take(self._line(time.time(), logging.INFO, event, fields), at_once=False)

    def _take(self, line: str, *, at_once: bool) -> None:
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


def set_up_logging(*, level: str, as_json: bool) -> logging.Logger:
    """Send the platform's events to standard error; returns the logger that all parts write to."""
    handler = GatheringHandler(sys.stderr, JsonFormatter() if as_json else TextFormatter())
    logger = EventLogger(LOGGER_NAME, level.upper())
    logger.addHandler(handler)
    logger.gathering = handler
    return logger


def event_writer(logger: logging.Logger) -> Write | None:
    """How to tell ``logger`` often of events of the level ``info``; None when it is not to be told of them."""
    if not logger.isEnabledFor(logging.INFO):
        return None
    if isinstance(logger, EventLogger) and logger.gathering is not None:
        return logger.gathering.write

    def write(event: str, fields: Mapping[str, object]) -> None:
        logger.info(event, extra={"fields": fields})

    return write


def _template(event: str, fields: Mapping[str, object]) -> str:
    """For the time, its thousandths, the level, and each field."""
    text = event + "".join(f"  {name}=\0" for name in fields)
    return "%s.%03d %s " + text.replace("%", "%%").replace("\0", "%s")


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields = getattr(record, "fields", {})
    assert isinstance(fields, dict), "an event's fields are given by name"
    return fields
