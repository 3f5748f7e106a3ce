"""Recorded traces are read, and lines that cannot be are refused by file and number."""

import gzip
import json
import logging
import re
from pathlib import Path

import pytest

from servery.billing.charge import Charge
from servery.core.misconfigured import Misconfigured
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.usage_record import UsageRecord
from servery.serving.telling_observer import TellingObserver
from servery.simulation.traces.request import Request
from servery.simulation.traces.trace_file import trace_from_file
from servery.telemetry.event_line import JsonLines
from servery.telemetry.log import LineFormatter
from servery.telemetry.metrics import Metrics

MOONCAKE = {"timestamp": 1500, "input_length": 600, "output_length": 7, "hash_ids": [4, 5]}
ENDED = {
    "time": "2026-11-20T12:00:10.000+00:00",
    "level": "info",
    "event": "request ended",
    "account": "acme",
    "model": "m",
    "path": "priority",
    "prompt_tokens": 200,
    "cached_prompt_tokens": 0,
    "generated_tokens": 20,
    "total_ms": 4_000,
}


def read(tmp_path: Path, *lines: object) -> list[Request]:
    file = tmp_path / "trace"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return list(trace_from_file(file).requests())


def test_mooncakes_lines_are_read(tmp_path: Path) -> None:
    """Milliseconds become seconds; an empty answer counts as one token."""
    first, second = read(tmp_path, MOONCAKE, "", {**MOONCAKE, "output_length": 0})
    assert first == Request(1.5, 600, 7, (4, 5))
    assert second.generated_tokens == 1


def test_azures_lines_are_read(tmp_path: Path) -> None:
    """Time counts from the first request, and no two share a block."""
    header, *lines = (
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "2023-11-16 18:15:46.6805900,374,44",
        "2023-11-16 18:15:50.9951690,600,109",
    )
    first, second = read(tmp_path, header, *lines)
    assert (first.arrives_s, first.prompt_tokens, first.generated_tokens) == (0.0, 374, 44)
    assert second.arrives_s == pytest.approx(4.314579)
    assert len(second.blocks) == 2
    assert not set(first.blocks) & set(second.blocks)


def test_the_own_log_is_read_in_the_order_of_arrival(tmp_path: Path) -> None:
    """A request arrived when it ended less what it took; other events are skipped."""
    long = {**ENDED, "time": "2026-11-20T12:00:12.000+00:00", "total_ms": 9_000, "account": "b", "path": "standard"}
    first, second = read(tmp_path, {"event": "ready"}, ENDED, long)
    assert (first.account, first.path, first.arrives_s) == ("b", ServingPath.STANDARD, 0.0)
    assert (second.account, second.path, second.arrives_s) == ("acme", ServingPath.PRIORITY, pytest.approx(3.0))


def test_the_own_log_is_what_the_platform_writes(tmp_path: Path) -> None:
    """A line as it is logged, by the observer and the formatter of the platform, is a request."""
    file = tmp_path / "trace"
    logger = logging.Logger("test", level=logging.INFO)
    handler = logging.FileHandler(file)
    handler.setFormatter(LineFormatter(JsonLines()))
    logger.addHandler(handler)
    record = UsageRecord(
        request_id="r1",
        account="acme",
        key_id="k",
        model="m",
        serving_path=ServingPath.STANDARD,
        price_id="p",
        usage=Usage(200, 64, 9),
        outcome=Outcome.COMPLETED,
        started_ns=0,
        finished_ns=5_000_000,
        replica="p/0",
        queue_wait_us=0,
        time_to_first_token_us=None,
    )
    TellingObserver(Metrics(), logger).ended(record, Charge(7_000, 7))
    handler.close()
    (request,) = trace_from_file(file).requests()
    assert (request.account, request.prompt_tokens, request.generated_tokens) == ("acme", 200, 9)


def test_cached_tokens_of_the_own_log_become_shared_blocks(tmp_path: Path) -> None:
    """As many whole blocks as were cached are those of the account's earlier request, and none of another's."""
    later = {**ENDED, "time": "2026-11-20T12:00:20.000+00:00", "cached_prompt_tokens": 130}
    other = {**later, "account": "b", "time": "2026-11-20T12:00:30.000+00:00"}
    first, second, third = read(tmp_path, ENDED, later, other)
    shared = [a == b for a, b in zip(first.blocks, second.blocks, strict=True)]
    assert shared == [True, True, False, False]
    assert not set(third.blocks) & {*first.blocks, *second.blocks}


@pytest.mark.parametrize(
    ("lines", "number", "told"),
    [
        ((MOONCAKE, {**MOONCAKE, "timestamp": 4e10}), 2, "more than a year"),
        ((MOONCAKE, {**MOONCAKE, "hash_ids": [1, 2, 3]}), 2, "3 hash_ids for 600 tokens; 2"),
        ((MOONCAKE, MOONCAKE, {**MOONCAKE, "input_length": 5_000}), 3, "2 hash_ids for 5000 tokens; 10"),
        ((MOONCAKE, {**MOONCAKE, "input_length": 0}), 2, "input_length"),
        ((MOONCAKE, "", '{"timestamp": 1'), 3, "truncated"),
        ((MOONCAKE, {**MOONCAKE, "hash_ids": [1, 0.5]}), 2, "hash_ids"),
        (("TIMESTAMP,ContextTokens,GeneratedTokens", "yesterday,1,1"), 2, "'yesterday'"),
        (("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46,1"), 2, "expected 3 fields, got 2"),
        (("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46,1,-4"), 2, "'-4'"),
        (("TIMESTAMP,Context,Generated",), 1, "the header has not"),
        ((ENDED, {**ENDED, "path": "slow"}), 2, "slow"),
        ((ENDED, {**ENDED, "cached_prompt_tokens": 201}), 2, "more cached prompt tokens"),
        (("hello",), 1, "neither"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(
    tmp_path: Path, lines: tuple[object, ...], number: int, told: str
) -> None:
    """File, line number, and what is wrong."""
    with pytest.raises(Misconfigured, match=rf"trace:{number}: .*{re.escape(told)}"):
        read(tmp_path, *lines)


def test_a_file_without_requests_is_refused(tmp_path: Path) -> None:
    """There is nothing to replay: no line, a header alone, a log in which nothing ended."""
    for lines, told in (
        ((), "is empty"),
        (("TIMESTAMP,ContextTokens,GeneratedTokens",), "no request"),
        (
            ({"event": "ready"},),
            "no request",
        ),
    ):
        with pytest.raises(Misconfigured, match=told):
            read(tmp_path, *lines)


def test_lines_may_stand_in_any_order(tmp_path: Path) -> None:
    """They are sorted by their moment; those of one moment stay as they stand."""
    later, twin = {**MOONCAKE, "timestamp": 9_000}, {**MOONCAKE, "input_length": 601}
    assert [(one.arrives_s, one.prompt_tokens) for one in read(tmp_path, later, MOONCAKE, twin)] == [
        (1.5, 600),
        (1.5, 601),
        (9.0, 600),
    ]
    rows = ("2023-11-16 18:15:50,2,2", "2023-11-16 18:15:46,1,1")
    azure = read(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens", *rows)
    assert [(one.arrives_s, one.prompt_tokens) for one in azure] == [(0.0, 1), (4.0, 2)]


def test_files_as_other_machines_write_them_are_read(tmp_path: Path) -> None:
    """Lines that end as on Windows, a mark of the byte order before the first, packed by gzip; and a packed one that
    breaks off is refused."""
    text = b"\xef\xbb\xbf" + json.dumps(MOONCAKE).encode() + b"\r\n\r\n" + json.dumps(MOONCAKE).encode() + b"\r\n"
    file = tmp_path / "trace"
    for content in (text, gzip.compress(text)):
        file.write_bytes(content)
        assert [one.prompt_tokens for one in trace_from_file(file).requests()] == [600, 600]
    file.write_bytes(gzip.compress(text)[:-12])
    with pytest.raises(Misconfigured, match="cannot be read"):
        trace_from_file(file)
    file.write_bytes(b'{"event": "\xff"}')
    with pytest.raises(Misconfigured, match=r"trace:1: .*utf-8"):
        trace_from_file(file)


def test_what_has_no_id_shares_nothing(tmp_path: Path) -> None:
    """Neither prompts without any, nor the broken block at a prompt's end where only whole ones have one."""
    bare = {key: value for key, value in MOONCAKE.items() if key != "hash_ids"}
    first, second, third = read(tmp_path, bare, {**MOONCAKE, "hash_ids": []}, {**MOONCAKE, "hash_ids": None})
    assert not set(first.blocks) & {*second.blocks, *third.blocks}
    whole = {**MOONCAKE, "input_length": 1_100}
    one, other = read(tmp_path, whole, whole)
    assert (one.blocks[:2], len(one.blocks)) == ((4, 5), 3)
    assert one.blocks[2] != other.blocks[2]


def test_blocks_of_another_size_are_found(tmp_path: Path) -> None:
    """As many tokens as the first lines agree with; ids may be of any size, or text."""
    file = tmp_path / "trace"
    line = {**MOONCAKE, "input_length": 40, "hash_ids": [-3, 1 << 70, "c0ffee"]}
    file.write_text(f"{json.dumps(line)}\n" * 2)
    trace = trace_from_file(file)
    first, second = trace.requests()
    assert trace.block_tokens == 16
    assert len(set(first.blocks)) == 3
    assert first.blocks == second.blocks


def test_dates_and_other_names_are_read(tmp_path: Path) -> None:
    """Milliseconds since the epoch count from the first; CSV has its columns in any order, quoted, in seconds."""
    first, second = read(tmp_path, *({**MOONCAKE, "timestamp": 1_700_000_000_000 + late} for late in (0, 250)))
    assert (first.arrives_s, second.arrives_s) == (0.0, 0.25)
    rows = ('"GPT-4","5","18.0","0","23"', '"GPT-4","9","7.0","4","11"')
    header = '"Model","Timestamp","Request tokens","Response tokens","Total tokens"'
    early, late = read(tmp_path, header, *rows)
    assert (early.arrives_s, early.prompt_tokens, early.generated_tokens) == (0.0, 18, 1)
    assert (late.arrives_s, late.prompt_tokens, late.generated_tokens) == (4.0, 7, 4)
