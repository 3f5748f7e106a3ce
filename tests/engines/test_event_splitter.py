"""Cutting a stream into events: where the pieces were cut makes no difference."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.errors import EngineBroke
from servery.engines.event_splitter import EventSplitter

MIB = 1024 * 1024

# Lines as engines and proxies write them; a lone carriage return is not a line end to this splitter.
LINES = st.sampled_from(
    [b"data: {}", b"data:{}", b"data: a", b"data: ", b"data:", b": ping", b"event: x", b"id: 1", b"", b"", b"datum: a"]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def split(*pieces: bytes, limit: int = MIB) -> list[bytes]:
    splitter = EventSplitter(max_event_bytes=limit)
    return [event for piece in pieces for event in splitter.feed(piece)]


def plainly(stream: bytes) -> list[bytes]:
    """The format's rules, followed line by line over the whole of a stream."""
    events: list[bytes] = []
    data: list[bytes] = []
    *lines, _ = stream.replace(b"\r\n", b"\n").split(b"\n")
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line:
            events += [joined] if (joined := b"\n".join(data)) else []
            data = []
    return events


@given(STREAMS)
def test_events_are_those_of_the_format(stream: bytes) -> None:
    """Fed at once, a stream yields what the rules of the format give, and empty events are skipped."""
    assert split(stream) == plainly(stream)


@given(STREAMS, st.lists(st.integers(min_value=0, max_value=400)))
def test_cuts_make_no_difference(stream: bytes, cuts: list[int]) -> None:
    """However a stream is cut, also within a line end, it yields the same events."""
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert split(*pieces) == plainly(stream)


def test_data_lines_of_one_event_are_joined() -> None:
    """Several ``data:`` lines are one event; comments and other fields between them are skipped."""
    assert split(b": ping\n\nevent: x\ndata: a\n: ping\ndata: b\nid: 7\n\n") == [b"a\nb"]


def test_an_event_is_yielded_only_when_whole() -> None:
    """What has not ended yet is held, and told to be."""
    splitter = EventSplitter(max_event_bytes=MIB)
    assert list(splitter.feed(b"data: a\n\ndata: b")) == [b"a"]
    assert splitter.holds_part
    assert list(splitter.feed(b"\n\n")) == [b"b"]
    assert not splitter.holds_part


def test_an_event_that_never_ends_is_refused() -> None:
    """Memory is bounded: an event grows to the limit and no further."""
    splitter = EventSplitter(max_event_bytes=100)
    assert list(splitter.feed(b"data: " + b"x" * 94)) == []
    with pytest.raises(EngineBroke, match="more than 100 bytes"):
        list(splitter.feed(b"x"))
