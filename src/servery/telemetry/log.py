"""Structured logging on the standard library: one line an event, as text for people or as JSON for machines."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import IO

from servery.telemetry.event_line import EventKind, JsonLines, TextLines
from servery.telemetry.gathered_lines import Event, EventWriter, GatheredLines

LOGGER_NAME = "servery"

Write = Callable[[Event], None]
"""Writes an event."""


class LineFormatter(logging.Formatter):
    """An event as a line of ``form``."""

    def __init__(self, form: TextLines | JsonLines) -> None:
        super().__init__()
        self.form = form
        self._kinds: dict[tuple[str, ...], EventKind] = {}  # as many as there are kinds of event in the code

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_fields(record))
        fault = self.formatException(record.exc_info) if record.exc_info else None
        if fault is not None and isinstance(self.form, JsonLines):
            fields["exception"] = fault
        kind, values = self._kind(record.getMessage(), tuple(fields)), tuple(fields.values())
        line = self.form.line(kind, values, level=record.levelno, created_s=record.created)
        return f"{line}\n{fault}" if fault is not None and isinstance(self.form, TextLines) else line

    def _kind(self, name: str, fields: tuple[str, ...]) -> EventKind:
        kind = self._kinds.get((name, *fields))
        if kind is None:
            kind = self._kinds[name, *fields] = EventKind(name, fields)
        return kind


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
    """Gathers lines. What is above the level ``info`` is written at once."""

    def __init__(self, stream: IO[str], form: TextLines | JsonLines) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(form))
        self._form = form
        self._gathered = GatheredLines(stream)

    def emit(self, record: logging.LogRecord) -> None:
        self._gathered.take(self.format(record), at_once=record.levelno > logging.INFO)

    def writer(self, kind: EventKind) -> Write:
        """See ``event_writer``."""
        return EventWriter(self._gathered, self._form, kind).write

    def flush(self) -> None:
        self._gathered.flush()


def set_up_logging(*, level: str, as_json: bool) -> logging.Logger:
    """Send the platform's events to standard error; returns the logger that all parts write to."""
    handler = GatheringHandler(sys.stderr, JsonLines() if as_json else TextLines())
    logger = EventLogger(LOGGER_NAME, level.upper())
    logger.addHandler(handler)
    logger.gathering = handler
    return logger


def event_writer(logger: logging.Logger, kind: EventKind) -> Write | None:
    """How to tell ``logger`` often of events of one kind and of the level ``info``; None when it is not to be told of
    them."""
    if not logger.isEnabledFor(logging.INFO):
        return None
    if isinstance(logger, EventLogger) and logger.gathering is not None:
        return logger.gathering.writer(kind)

    def write(event: Event) -> None:
        logger.info(kind.name, extra={"fields": dict(zip(kind.fields, event.values(), strict=True))})

    return write


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields = getattr(record, "fields", {})
    assert isinstance(fields, dict), "an event's fields are given by name"
    return fields
