"""An engine without a model whose cache and queue are real: prompts are computed one after another at a set rate,
blocks of text that it holds cost nothing, and the least recently used of them are forgotten.

``python -m benchmarks.policies.caching_engine --ports 4`` is as many engines, each with a cache and a queue of its own,
on loopback. It speaks as ``benchmarks.mock_engine`` does.
"""

import argparse
import asyncio
import json
import signal
from functools import partial
from itertools import pairwise
from typing import Any

import uvloop

from benchmarks.mock_engine import BYTES_PER_TOKEN, WORD, EngineConnection, chunked, frame
from servery.simulation.engines.block_lru import BlockLru

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_ROLE = chunked(frame([{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}]))
_WORD = chunked(frame([{"finish_reason": None, "index": 0, "delta": {"content": WORD}}]))
_FINISH = chunked(frame([{"finish_reason": "stop", "index": 0, "delta": {}}]))


class Queue:
    """One engine's cache, and when it will have computed all that was sent to it."""

    def __init__(self, *, tokens_per_s: float, cache_tokens: int, block_tokens: int) -> None:
        self._tokens_per_s = tokens_per_s
        self._block_bytes = block_tokens * BYTES_PER_TOKEN
        self._block_tokens = block_tokens
        self._cache = BlockLru(cache_tokens // block_tokens)
        self._free_s = 0.0

    def take(self, prompt: str, now_s: float) -> tuple[float, int, int]:
        """When the prompt will be computed, how many tokens it has, and how many of them are cached."""
        tokens = max(1, len(prompt) // BYTES_PER_TOKEN)
        blocks, link = [], 0
        for start, end in pairwise((*range(0, len(prompt), self._block_bytes), len(prompt))):
            link = hash((link, prompt[start:end]))
            blocks.append(link)
        cached = min(self._cache.held(blocks) * self._block_tokens, tokens - 1)
        self._cache.use(blocks)
        self._free_s = max(self._free_s, now_s) + (tokens - cached) / self._tokens_per_s
        return self._free_s, tokens, cached


class CachingConnection(EngineConnection):
    """Answers with a stream; what is asked beside inference is as in the mock engine."""

    def __init__(self, queue: Queue, *, gap_s: float) -> None:
        super().__init__(gap_s=gap_s)
        self._queue = queue

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            super().on_message_complete()
            return
        body: dict[str, Any] = json.loads(b"".join(self._body))
        prompt = "".join(message["content"] for message in body["messages"])
        computed_s, tokens, cached = self._queue.take(prompt, self._loop.time())
        answer = int(body["max_tokens"])
        end_s = computed_s + (answer - 1) * self._gap_s
        self._loop.call_at(computed_s, self._write, _HEAD + _ROLE + _WORD)
        self._loop.call_at(end_s, self._write, _end(tokens, cached, answer))


def _end(tokens: int, cached: int, answer: int) -> bytes:
    usage = {
        "prompt_tokens": tokens,
        "completion_tokens": answer,
        "total_tokens": tokens + answer,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return _FINISH + chunked(frame([], usage=usage)) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def serve(given: argparse.Namespace) -> None:
    """Listen on as many free ports, say which, and serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    servers = []
    for _ in range(given.ports):
        queue = Queue(tokens_per_s=given.tokens_per_s, cache_tokens=given.cache_tokens, block_tokens=given.block_tokens)
        new_connection = partial(CachingConnection, queue, gap_s=given.gap_ms / 1000)
        servers.append(await loop.create_server(new_connection, "127.0.0.1", 0, backlog=1024))
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1] for server in servers]}), flush=True)
    await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", type=int, required=True)
    parser.add_argument("--tokens-per-s", type=float, required=True)
    parser.add_argument("--cache-tokens", type=int, required=True)
    parser.add_argument("--block-tokens", type=int, required=True)
    parser.add_argument("--gap-ms", type=float, required=True)
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
