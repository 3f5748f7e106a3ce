"""An engine that costs next to nothing: OpenAI-style answers at a set pace, without a model.

``python -m benchmarks.mock_engine --ports 2`` listens on loopback, prints one line of JSON with its ports, and serves
until it is told to stop. A chat request's body chooses the answer: one JSON object, or with ``"stream": true`` as many
chunks as ``max_tokens`` says (100 when it says nothing), one write each, ``--gap-ms`` apart, the first at once. Frames
look like llama.cpp's: a role, one word each, a reason to end, the usage, ``[DONE]``. Only a prompt's length counts.
"""

import argparse
import asyncio
import json
import re
import signal
from typing import cast

import httptools
import uvloop

CHUNKS = 100
GAP_MS = 10
WORD = " word"
"""What each streamed chunk says; it occurs nowhere else in an answer, so that a client can count chunks by it."""

BYTES_PER_TOKEN = 4
_MAX_TOKENS = re.compile(rb'"max_tokens": ?(\d+)')
_STREAM = re.compile(rb'"stream": ?true')
_TAIL_BYTES = 4096

_MODELS = (
    b'{"object":"list","data":[{"id":"mock","object":"model","created":1,"owned_by":"mock","max_model_len":1048576}]}'
)
_INFO = b'{"model_path":"mock","served_model_name":"mock","tokenizer_path":"","is_generation":true,"version":"1"}'
_METRICS = b"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n"
_PAGES = {
    b"/health": (b"application/json", b'{"status":"ok"}'),
    b"/health_generate": (b"application/json", b'{"status":"ok"}'),
    b"/v1/models": (b"application/json", _MODELS),
    b"/get_model_info": (b"application/json", _INFO),
    b"/model_info": (b"application/json", _INFO),
    b"/get_server_info": (b"application/json", _INFO),
    b"/server_info": (b"application/json", _INFO),
    b"/version": (b"application/json", b'{"version":"1"}'),
    b"/metrics": (b"text/plain; version=0.0.4", _METRICS),
}
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    """``data`` as one chunk of a chunked HTTP body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def frame(choices: list[object], **more: object) -> bytes:
    """One server-sent event of a streamed chat completion."""
    event = {
        "choices": choices,
        "created": 1,
        "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        "model": "mock",
        "system_fingerprint": "b1-mock",
        "object": "chat.completion.chunk",
        **more,
    }
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, object]:
    return {
        "completion_tokens": completion_tokens,
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


_ROLE = frame([{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}])
_CHUNK = chunked(frame([{"finish_reason": None, "index": 0, "delta": {"content": WORD}}]))
_FIRST = _STREAM_HEAD + chunked(_ROLE) + _CHUNK
_FINISH = frame([{"finish_reason": "stop", "index": 0, "delta": {}}])


def stream_end(prompt_tokens: int, chunks: int) -> bytes:
    """The last write of a stream: why it ended, what it used, and the end of the body."""
    told = frame([], usage=usage(prompt_tokens, chunks))
    return chunked(_FINISH) + chunked(told) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def answer(prompt_tokens: int, completion_tokens: int) -> bytes:
    """A whole response without a stream."""
    body = json.dumps(
        {
            "choices": [
                {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": WORD * 20}},
            ],
            "created": 1,
            "model": "mock",
            "system_fingerprint": "b1-mock",
            "object": "chat.completion",
            "usage": usage(prompt_tokens, completion_tokens),
            "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        },
        separators=(",", ":"),
    ).encode()
    return whole(b"application/json", body)


def whole(content_type: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    """A response of known length."""
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (status, content_type, len(body))
    return head + body


class EngineConnection(asyncio.Protocol):
    """Answers one client's requests, one after another."""

    def __init__(self, *, gap_s: float) -> None:
        self._gap_s = gap_s
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._body: list[bytes] = []
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._write(whole(b"text/plain", b"", status=b"400 Bad Request"))
            if self._transport is not None:
                self._transport.close()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._body = []
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        path = self._url.partition(b"?")[0]
        if self._parser.get_method() != b"POST":
            content_type, page = _PAGES.get(path, (b"text/plain", b""))
            self._write(whole(content_type, page, status=b"200 OK" if page else b"404 Not Found"))
            return
        body = b"".join(self._body)
        found = _MAX_TOKENS.search(body, max(0, len(body) - _TAIL_BYTES)) or _MAX_TOKENS.search(body)
        chunks = int(found[1]) if found else CHUNKS
        prompt_tokens = max(1, len(body) // BYTES_PER_TOKEN)
        if _STREAM.search(body, max(0, len(body) - _TAIL_BYTES)) or _STREAM.search(body):
            self._write(_FIRST)
            self._go_on(1, chunks, prompt_tokens, self._loop.time())
        else:
            self._write(answer(prompt_tokens, chunks))

    # The stream

    def _go_on(self, sent: int, chunks: int, prompt_tokens: int, began_s: float) -> None:
        """Plan the next write; times count from the stream's beginning, so that delays do not add up."""
        self._loop.call_at(began_s + sent * self._gap_s, self._next, sent, chunks, prompt_tokens, began_s)

    def _next(self, sent: int, chunks: int, prompt_tokens: int, began_s: float) -> None:
        if self._transport is None:
            return
        if sent < chunks:
            self._write(_CHUNK)
            self._go_on(sent + 1, chunks, prompt_tokens, began_s)
        else:
            self._write(stream_end(prompt_tokens, chunks))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(*, ports: int, gap_s: float) -> None:
    """Listen on as many free ports, say which, and serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: EngineConnection(gap_s=gap_s), "127.0.0.1", 0, backlog=4096)
        for _ in range(ports)
    ]
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1] for server in servers]}), flush=True)
    await stopped.wait()
    for server in servers:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", type=int, default=1, help="how many engines to be")
    parser.add_argument("--gap-ms", type=float, default=GAP_MS, help="between two chunks of a stream")
    given = parser.parse_args()
    uvloop.run(serve(ports=given.ports, gap_s=given.gap_ms / 1000))


if __name__ == "__main__":
    main()
