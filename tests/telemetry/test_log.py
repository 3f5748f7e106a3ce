"""One line an event, for people or for machines."""

import json
import logging
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.telemetry.event_line import EventKind, JsonLines, TextLines
from servery.telemetry.gathered_lines import PlainEvent
from servery.telemetry.log import LineFormatter, event_writer, set_up_logging


def event(message: str, *, fault: Exception | None = None, **fields: object) -> logging.LogRecord:
    info = (type(fault), fault, None) if fault else None
    record = logging.LogRecord("servery", logging.INFO, "file", 1, message, None, info)
    record.fields = fields
    return record


def test_machines_get_one_object_a_line() -> None:
    """Time in RFC 3339, level, event, and the event's own fields."""
    line = LineFormatter(JsonLines()).format(event("request ended", model="m", prompt_tokens=7))
    told = json.loads(line)
    assert "\n" not in line
    assert told["time"].endswith("+00:00")
    assert told.items() >= {"level": "info", "event": "request ended", "model": "m", "prompt_tokens": 7}.items()


def test_people_get_words() -> None:
    """The fields behind the event's name."""
    line = LineFormatter(TextLines()).format(event("request ended", model="m", prompt_tokens=7))
    assert line.endswith("info    request ended  model=m  prompt_tokens=7")


@given(
    st.lists(st.integers() | st.booleans() | st.none() | st.text() | st.floats(), max_size=4), st.integers(0, 10**13)
)
def test_values_are_told_as_they_are(values: list[object], created_us: int) -> None:
    """Whatever they are, each behind its label, and the time to the thousandth of a second."""
    kind = EventKind("ended", tuple(f"f{place}" for place in range(len(values))))
    seconds = created_us // 1_000_000
    line = TextLines().line(kind, tuple(values), level=logging.WARNING, created_s=seconds + created_us % 64 / 64)
    moment = datetime.fromtimestamp(seconds, UTC)
    told = "".join(f"  f{place}={value}" for place, value in enumerate(values))
    assert line == f"{moment:%H:%M:%S}.{int(created_us % 64 / 64 * 1_000):03} warning ended{told}"


@given(st.lists(st.tuples(st.sampled_from([logging.INFO, logging.ERROR]), st.integers(0, 5_000)), min_size=1))
def test_the_beginning_of_a_line_is_that_of_its_moment(moments: list[tuple[int, int]]) -> None:
    """In whatever order events come, of whatever level, within a thousandth of a second or not."""
    lines = TextLines()
    for level, eighths_ms in moments:
        created_s = eighths_ms / 1_024 / 8
        moment = f"00:00:0{int(created_s)}.{int(created_s % 1 * 1_000):03}"
        name = logging.getLevelName(level).lower()
        assert lines.begin(level=level, created_s=created_s) == f"{moment} {name:<7} "


@pytest.mark.parametrize("formatter", [LineFormatter(JsonLines()), LineFormatter(TextLines())])
def test_a_fault_is_told_with_its_cause(formatter: logging.Formatter) -> None:
    """In either form."""
    assert "ValueError: cause" in formatter.format(event("fault", fault=ValueError("cause")))


def test_events_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """From the level that was set on; setting up twice tells nothing twice."""
    for _ in range(2):
        logger = set_up_logging(level="info", as_json=True)
    logger.debug("not told")
    logger.info("told", extra={"fields": {"x": 1}})
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["told"]
    logger.handlers.clear()
    assert sys.stderr is not None


@pytest.mark.parametrize("as_json", [True, False])
def test_frequent_events_are_written_as_others_are(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    """Past the standard library's records, in the same words; a percent sign is none of a template's."""
    logger = set_up_logging(level="info", as_json=as_json)
    fields = {"model": "100%s", "tokens": 7}
    write = event_writer(logger, EventKind("50 % ended", tuple(fields)))
    write_nothing = event_writer(logger, EventKind("ended", ()))
    assert write is not None
    assert write_nothing is not None
    write(PlainEvent(tuple(fields.values())))
    logger.info("50 % ended", extra={"fields": fields})
    write_nothing(PlainEvent(()))
    first, second, third = capsys.readouterr().err.splitlines()
    time_ends = first.index("info")
    assert first[time_ends:] == second[time_ends:]
    assert "100%s" in first
    assert "50 % ended" in first
    assert "ended" in third


def test_nobody_writes_for_who_does_not_listen() -> None:
    """Above the level ``info`` such events are not even put together."""
    assert event_writer(set_up_logging(level="warning", as_json=False), EventKind("ended", ())) is None


async def test_events_are_put_into_words_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that come often are, with the time at which they came, when what has gathered is written."""
    logger = set_up_logging(level="info", as_json=True)
    write = event_writer(logger, EventKind("first", ("number",)))
    assert write is not None
    write(PlainEvent((1,)))
    logger.info("second", extra={"fields": {}})
    write(PlainEvent((3,)))
    assert capsys.readouterr().err == ""
    logger.warning("last", extra={"fields": {}})
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["event"], one.get("number")) for one in told] == [
        ("first", 1),
        ("second", None),
        ("first", 3),
        ("last", None),
    ]
    assert [one["time"] for one in told] == sorted(one["time"] for one in told)
