"""What fake engines do with a request, in the words of real ones (llama.cpp's, unless a test says otherwise)."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from tests.fakes.fake_engine import FakeExchange, Script

ENVELOPE = {"created": 1795202611, "id": "chatcmpl-engine", "model": "fake.gguf", "object": "chat.completion.chunk"}


def usage_of(prompt: int, generated: int, *, cached: int = 0) -> dict[str, Any]:
    return {
        "completion_tokens": generated,
        "prompt_tokens": prompt,
        "total_tokens": prompt + generated,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def chunk(delta: dict[str, Any], *, finish: str | None = None, **more: Any) -> bytes:
    """One streamed chunk of chat, as compact as engines write it."""
    choices = [{"finish_reason": finish, "index": 0, "delta": delta}]
    return json.dumps({"choices": choices, **ENVELOPE, **more}, separators=(",", ":")).encode()


def token(text: str) -> bytes:
    return chunk({"content": text})


def progress(prompt: int, *, cached: int = 0, computed: int | None = None) -> bytes:
    processed = prompt if computed is None else computed
    told = {"total": prompt, "cache": cached, "processed": processed, "time_ms": 1}
    return chunk({"role": "assistant", "content": None}, prompt_progress=told)


OPENING = chunk({"role": "assistant", "content": None})
FINISH = chunk({}, finish="stop")


def usage_chunk(usage: dict[str, Any]) -> bytes:
    return json.dumps({"choices": [], **ENVELOPE, "usage": usage}, separators=(",", ":")).encode()


def streams(
    words: Sequence[str] = ("I", " am"), *, prompt: int = 12, cached: int = 0, hold: asyncio.Event | None = None
) -> Script:
    """A whole stream: the prompt's progress, a role, the words, the finish, the usage. With ``hold``, the words are
    followed by a wait for it."""

    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        for event in (progress(prompt, cached=cached), OPENING, *map(token, words)):
            exchange.event(event)
        if hold is not None:
            await hold.wait()
        for event in (FINISH, usage_chunk(usage_of(prompt, len(words), cached=cached))):
            exchange.event(event)
        exchange.end_stream()

    return script


def sends(*events: bytes, then: Script | None = None) -> Script:
    """A stream of just these events; then its end, or ``then``."""

    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        for event in events:
            exchange.event(event)
        if then is None:
            exchange.end_stream()
        else:
            await then(exchange)

    return script


def answer_of(text: str, usage: dict[str, Any]) -> bytes:
    choice = {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": text}}
    whole = {**ENVELOPE, "object": "chat.completion", "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


def answers(text: str = "I am", *, prompt: int = 12, generated: int = 2, cached: int = 0) -> Script:
    """A whole answer in JSON."""

    async def script(exchange: FakeExchange) -> None:
        exchange.whole(200, answer_of(text, usage_of(prompt, generated, cached=cached)))

    return script


def serves(words: Sequence[str] = ("I", " am"), *, prompt: int = 12, cached: int = 0) -> Script:
    """A stream where one is asked for, else the same in JSON."""
    stream = streams(words, prompt=prompt, cached=cached)
    whole = answers("".join(words), prompt=prompt, generated=len(words), cached=cached)

    async def script(exchange: FakeExchange) -> None:
        await (stream if exchange.json["stream"] else whole)(exchange)

    return script


def refuses(status: int, message: str = "no", *headers: tuple[str, str], **more: Any) -> Script:
    body = json.dumps({"error": {"code": status, "message": message, **more}}).encode()

    async def script(exchange: FakeExchange) -> None:
        exchange.whole(status, body, *headers)

    return script


async def dies(exchange: FakeExchange) -> None:
    exchange.close()


async def resets(exchange: FakeExchange) -> None:
    exchange.reset()


async def stalls(exchange: FakeExchange) -> None:
    await exchange.client_left.wait()


def says(data: bytes) -> Script:
    """Any bytes at all, and nothing after them."""

    async def script(exchange: FakeExchange) -> None:
        exchange.raw(data)
        await exchange.client_left.wait()

    return script
