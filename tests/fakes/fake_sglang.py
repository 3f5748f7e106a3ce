"""What SGLang 0.5.23 does with a request, told by a transcript: no SGLang runs in any test.

Each frame stands in ``sglang_transcript.json`` with where it is from: some were observed, of the others SGLang's source
declares the shape. Observed were also that a closed connection is counted as an abort, and null in place of the cached
tokens without ``--enable-cache-report``. That ``cache_salt`` keeps prompts apart is what its source says.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.fakes.fake_engine import FakeExchange

TRANSCRIPT = json.loads(Path(__file__).with_name("sglang_transcript.json").read_text(encoding="utf-8"))
PROMPT_TOKENS = 21


def frame(name: str) -> Any:
    """What the transcript says under ``name``, to be changed at will."""
    return json.loads(json.dumps(TRANSCRIPT["frames"][name]["says"]))


class FakeSglang:
    """A script for all requests to a ``FakeEngine``. Says ``I am``, and before the second word waits for ``go_on``.

    ``places`` are how many requests it takes at once; ``reports_cache`` is its ``--enable-cache-report``.
    """

    def __init__(self, *, places: int = 8, reports_cache: bool = True, reasoning_tokens: int = 0) -> None:
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.aborted = 0
        self.running = 0
        self._places = places
        self._reports_cache = reports_cache
        self._reasoning_tokens = reasoning_tokens
        self._seen: set[tuple[str, str]] = set()
        self._prompt_tokens = 0
        self._cached_tokens = 0

    async def __call__(self, exchange: FakeExchange) -> None:
        if exchange.path == "/metrics":
            told = {"RUNNING": self.running, "ABORTED": self.aborted}
            told |= {"CACHED": self._cached_tokens, "PROMPT": self._prompt_tokens}
            text = "\n".join([*TRANSCRIPT["metrics"]["says"], ""])
            for name, number in told.items():
                text = text.replace(name, str(number))
            exchange.whole(200, text.encode())
        elif self.running >= self._places:
            exchange.whole(503, json.dumps(frame("queue_full")).encode())
        else:
            self.running += 1
            await self._answer(exchange)
            self.running -= 1

    async def _answer(self, exchange: FakeExchange) -> None:
        usage = self._usage(exchange.json)
        if not exchange.json["stream"]:
            await self.go_on.wait()
            exchange.whole(200, json.dumps(frame("whole") | {"usage": usage}).encode())
            return
        exchange.start_stream()
        exchange.event(_written(frame("opening")))
        exchange.event(_written(frame("token")))
        if not await self._may_go_on(exchange):
            self.aborted += 1
            return
        second = frame("token")
        second["choices"][0]["delta"]["content"] = " am"
        for said in (second, frame("finish"), frame("usage") | {"usage": usage}):
            exchange.event(_written(said))
        exchange.end_stream()

    async def _may_go_on(self, exchange: FakeExchange) -> bool:
        """False when the client has left meanwhile."""
        waits = [asyncio.create_task(event.wait()) for event in (self.go_on, exchange.client_left)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        return not exchange.client_left.is_set()

    def _usage(self, body: dict[str, Any]) -> dict[str, Any]:
        """By token: of a prompt that is cached the last token is computed all the same."""
        prompt = (body.get("cache_salt", ""), json.dumps(body["messages"]))
        cached = PROMPT_TOKENS - 1 if prompt in self._seen else 0
        self._seen.add(prompt)
        self._prompt_tokens += PROMPT_TOKENS
        self._cached_tokens += cached
        usage: dict[str, Any] = frame("usage")["usage"]
        details = {"cached_tokens": cached} if self._reports_cache else None
        return usage | {"prompt_tokens_details": details, "reasoning_tokens": self._reasoning_tokens}


def _written(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()
