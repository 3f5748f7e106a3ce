"""An engine without a model whose cache and queue are real: prompts are computed one after another at a set rate,
blocks of text that it holds cost nothing, and the least recently used of them are forgotten.

``python -m benchmarks.policies.caching_engine --ports 4`` is as many engines, each with a cache and a queue of its own,
on loopback. It speaks as ``benchmarks.mock_engine`` does.
"""

import argparse
import asyncio
import json
import signal
from collections import deque
from collections.abc import Callable
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


class Prompt:
    """One prompt at an engine, of so many tokens, of which some were cached. ``on_computed`` is called once it is."""

    def __init__(self, blocks: list[int], tokens: int, cached: int, on_computed: Callable[["Prompt"], None]) -> None:
        self.blocks = blocks
        self.tokens = tokens
        self.cached = cached
        self.on_computed = on_computed


class Queue:
    """One engine's cache, and the prompts that it has still to compute, the first of which it is computing."""

    def __init__(self, *, tokens_per_s: float, cache_tokens: int, block_tokens: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Prompt] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0
        self._tokens_per_s = tokens_per_s
        self._block_bytes = block_tokens * BYTES_PER_TOKEN
        self._block_tokens = block_tokens
        self._cache = BlockLru(cache_tokens // block_tokens)

    def take(self, prompt: str, on_computed: Callable[[Prompt], None]) -> Prompt:
        """Compute ``prompt`` after those that came before."""
        tokens = max(1, len(prompt) // BYTES_PER_TOKEN)
        blocks, link = [], 0
        for start, end in pairwise((*range(0, len(prompt), self._block_bytes), len(prompt))):
            link = hash((link, prompt[start:end]))
            blocks.append(link)
        cached = min(self._cache.held(blocks) * self._block_tokens, tokens - 1)
        self._cache.use(blocks)
        taken = Prompt(blocks, tokens, cached, on_computed)
        self._waiting.append(taken)
        if len(self._waiting) == 1:
            self._begin(self._loop.time())
        return taken

    def abort(self, prompt: Prompt) -> None:
        """Nobody wants it any more. What of it was not computed is not in the cache."""
        if prompt not in self._waiting:
            return
        is_first = prompt is self._waiting[0]
        now_s = self._loop.time()
        computed = prompt.cached + ((now_s - self._since_s) * self._tokens_per_s if is_first else 0.0)
        self._cache.drop(prompt.blocks[int(computed // self._block_tokens) :])
        self._waiting.remove(prompt)
        if is_first:
            assert self._timer is not None, "the first is being computed"
            self._timer.cancel()
            self._begin(now_s)

    def _begin(self, at_s: float) -> None:
        """Moments are counted from when the one before was due, so that delays do not add up."""
        if self._waiting:
            first = self._waiting[0]
            self._since_s = at_s
            due_s = at_s + (first.tokens - first.cached) / self._tokens_per_s
            self._timer = self._loop.call_at(due_s, self._computed, first, due_s)

    def _computed(self, prompt: Prompt, due_s: float) -> None:
        self._waiting.popleft()
        self._begin(due_s)
        prompt.on_computed(prompt)


class CachingConnection(EngineConnection):
    """Answers with a stream; what is asked beside inference is as in the mock engine."""

    def __init__(self, queue: Queue, *, gap_s: float) -> None:
        super().__init__(gap_s=gap_s)
        self._queue = queue
        self._prompt: Prompt | None = None
        self._answer = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._prompt is not None:
            self._queue.abort(self._prompt)

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            super().on_message_complete()
            return
        body: dict[str, Any] = json.loads(b"".join(self._body))
        prompt = "".join(message["content"] for message in body["messages"])
        self._answer = int(body["max_tokens"])
        self._prompt = self._queue.take(prompt, self._computed)

    def _computed(self, prompt: Prompt) -> None:
        self._prompt = None
        self._write(_HEAD + _ROLE + _WORD)
        wait_s = (self._answer - 1) * self._gap_s
        self._loop.call_later(wait_s, self._write, _end(prompt.tokens, prompt.cached, self._answer))


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
