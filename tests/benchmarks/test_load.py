"""The client and the engine, one against the other, and the requests that are sent."""

import asyncio
import json
from collections.abc import AsyncIterator

import httptools
import pytest
from benchmarks.load import Load, Spread
from benchmarks.load_client import Loop, Requests
from benchmarks.measure import chat_body
from benchmarks.mock_engine import CHUNKS, WORD, EngineConnection, answer, stream_end


@pytest.fixture
async def engine_port() -> AsyncIterator[int]:
    """An engine in this process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: EngineConnection(gap_s=0.001), "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def load(port: int, **fields: object) -> Load:
    body = chat_body("mock", prompt_bytes=100, chunks=None)
    wanted: dict[str, object] = {"port": port, "path": "/v1/chat/completions", "bodies": [body], "connections": 3}
    return Load(**{**wanted, "warm_s": 0.05, "window_s": 0.2, "grace_s": 1, **fields})  # type: ignore[arg-type]


class Seen:
    """What a parser has found in a request."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.complete = False
        httptools.HttpRequestParser(self).feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True


def test_requests_are_whole_and_different() -> None:
    """Each has a number of its own in its prompt, and the next of the keys."""
    requests = Requests(load(1, authorizations=["Bearer a", "Bearer b"]))
    first, second, third = (Seen(requests.next()) for _ in range(3))
    assert first.complete
    assert json.loads(first.body) != json.loads(second.body)
    assert [seen.headers[b"Authorization"] for seen in (first, second, third)] == [
        b"Bearer a",
        b"Bearer b",
        b"Bearer a",
    ]


@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_prompt_is_as_long_as_asked(size: int) -> None:
    """Give or take the number at its beginning."""
    prompt = json.loads(chat_body("m", prompt_bytes=size, chunks=5))["messages"][0]["content"]
    assert len(prompt) == size


async def test_answers_are_counted(engine_port: int) -> None:
    """Only what happens in the window, from all connections, without errors."""
    report = await Loop(load(engine_port)).run()
    assert report.requests > 3
    assert report.errors == {}
    assert report.first_byte.count > 3


async def test_chunks_are_counted(engine_port: int) -> None:
    """A stream's words are its chunks; the gaps between them are one fewer."""
    body = chat_body("mock", prompt_bytes=100, chunks=10)
    report = await Loop(load(engine_port, bodies=[body], window_s=0.3)).run()
    assert report.requests > 3
    assert abs(report.chunks - 10 * report.requests) <= 10 * 3, "but for those cut by the window's edges"
    assert report.gaps.count > report.first_byte.count
    assert report.errors == {}


async def test_a_refusal_is_an_error(engine_port: int) -> None:
    """By its status; and a client that is only refused gives up before long."""
    report = await Loop(load(engine_port, path="/v1/chat/completions\x20bad")).run()
    assert report.requests == 0
    assert report.errors


async def test_nobody_there_is_an_error() -> None:
    """The report says so, and comes in time."""
    report = await Loop(load(1)).run()
    assert report.requests == 0
    assert any(reason.startswith("no connection") for reason in report.errors)


def test_the_engines_answers_agree_with_their_usage() -> None:
    """What a gateway reads of them is what the engine means."""
    body = json.loads(answer(7, 20).partition(b"\r\n\r\n")[2])
    assert body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] == body["usage"]["total_tokens"] == 27
    assert body["choices"][0]["message"]["content"] == WORD * 20
    assert b'"completion_tokens":100' in stream_end(1, CHUNKS)
    assert WORD.encode() not in stream_end(1, CHUNKS), "chunks are counted by this word"


def test_a_spread_has_its_middle_and_its_end() -> None:
    """Of no values all is zero."""
    spread = Spread.of([float(value) for value in range(101)])
    assert (spread.p50_s, spread.p99_s, spread.max_s, spread.count) == (50, 99, 100, 101)
    assert Spread.of([]) == Spread()
