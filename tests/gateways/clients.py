"""Clients that ask without pause, and write down what they were given."""

import asyncio
import json
import random
import threading
from collections import Counter
from types import TracebackType
from typing import Any, Self

from tests.gateways.gateway import MODEL

_TIMEOUT_S = 60.0


class Clients:
    """``count`` of them in a thread, over the gateways at ``ports``; each takes another when one fails it.

    ``given`` has, for each response that came to its end, its request's id and the tokens it told of; ``statuses``
    counts answers, those that broke off under 0.
    """

    def __init__(
        self, ports: list[int], key: str, *, count: int, seed: int, max_tokens: tuple[int, int] = (1, 40)
    ) -> None:
        self._ports, self._key, self._count = ports, key, count
        self._max_tokens = max_tokens
        self._random = random.Random(seed)
        self.given: dict[str, tuple[int, int]] = {}
        self.statuses: Counter[int] = Counter()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask_on() for _ in range(self._count)))

    async def _ask_on(self) -> None:
        while not self._ending.is_set():
            port = self._random.choice(self._ports)
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._ask_at(port)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                self.statuses[0] += 1
                await asyncio.sleep(0.02)

    async def _ask_at(self, port: int) -> None:
        """Over one connection, as long as it lasts and for some requests."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for _ in range(20):
                if self._ending.is_set():
                    return
                status = await self._ask(reader, writer)
                self.statuses[status] += 1
                if status != 200:
                    await asyncio.sleep(0.02)
        finally:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        stream = self._random.random() < 0.5
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "x" * self._random.randint(1, 200)}],
            "max_tokens": self._random.randint(*self._max_tokens),
            "stream": stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
        }
        text = json.dumps(body).encode()
        head = f"POST /inference/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        writer.write(head.encode() + text)
        status, headers = await _head(reader)
        if "content-length" in headers:
            answered = await reader.readexactly(int(headers["content-length"]))
        else:
            answered = await _chunks(reader)
        if status == 200:
            told = _usage(answered, is_stream=stream)
            if told is None:
                return 0
            assert headers["x-request-id"] not in self.given
            self.given[headers["x-request-id"]] = told
        return status


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), headers


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while size := int((await reader.readuntil(b"\r\n")), 16):
        found += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return found


def _usage(answered: bytes, *, is_stream: bool) -> tuple[int, int] | None:
    """Prompt and generated tokens; None of a stream that ended with an error."""
    if not is_stream:
        return _tokens(json.loads(answered)["usage"])
    events = [event.removeprefix(b"data: ") for event in answered.split(b"\n\n") if event.startswith(b"data: ")]
    if not events or events[-1] != b"[DONE]":
        return None
    told = [json.loads(event).get("usage") for event in events[:-1]]
    return next((_tokens(usage) for usage in reversed(told) if usage), None)


def _tokens(usage: dict[str, Any]) -> tuple[int, int]:
    return int(usage["prompt_tokens"]), int(usage["completion_tokens"])
