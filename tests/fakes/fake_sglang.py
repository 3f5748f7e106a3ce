"""What SGLang 0.5.23 does with a request, as far as it was observed: no SGLang runs in any test.

Observed were: usage in streams and whole answers, counted by token and null without ``--enable-cache-report``; the
refusal of a full queue; that a closed connection is counted as an abort; the names of its metrics, and that with
``--enable-priority-scheduling`` its gauges come once in all and once again for each priority. Read in its documentation
was ``cache_salt``. The frames around these are written by hand: OpenAI's form with the fields that SGLang adds.
"""

import asyncio
import json
from typing import Any

from tests.fakes.fake_engine import FakeExchange

ENVELOPE = {"id": "b7a", "object": "chat.completion.chunk", "created": 1795202611, "model": "operators-name"}
QUEUE_FULL = {"object": "error", "message": "The request queue is full.", "type": "503"}
PROMPT_TOKENS = 21

_METRICS = """\
# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{{model_name="operators-name",priority="",tp_rank="0"}} {running}.0
sglang:num_running_reqs{{model_name="operators-name",priority="0",tp_rank="0"}} {running}.0
sglang:num_running_reqs{{model_name="operators-name",priority="1",tp_rank="0"}} 0.0
sglang:num_queue_reqs{{model_name="operators-name",priority="",tp_rank="0"}} 0.0
sglang:num_queue_reqs{{model_name="operators-name",priority="0",tp_rank="0"}} 0.0
sglang:token_usage{{model_name="operators-name",tp_rank="0"}} 0.25
sglang:cached_tokens_total{{cache_source="device",model_name="operators-name"}} {cached}.0
sglang:prompt_tokens_total{{model_name="operators-name"}} {prompt}.0
sglang:num_aborted_requests_total{{model_name="operators-name"}} {aborted}.0
"""


class FakeSglang:
    """A script for all requests to a ``FakeEngine``. Says ``I am``, and before the second word waits for ``go_on``.

    ``places`` are how many requests it takes at once; ``reports_cache`` is its ``--enable-cache-report``.
    """

    def __init__(self, *, places: int = 8, reports_cache: bool = True) -> None:
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.aborted = 0
        self.running = 0
        self._places = places
        self._reports_cache = reports_cache
        self._seen: set[tuple[str, str]] = set()
        self._prompt_tokens = 0
        self._cached_tokens = 0

    async def __call__(self, exchange: FakeExchange) -> None:
        if exchange.path == "/metrics":
            told = {"running": self.running, "aborted": self.aborted}
            text = _METRICS.format(**told, cached=self._cached_tokens, prompt=self._prompt_tokens)
            exchange.whole(200, text.encode())
        elif self.running >= self._places:
            exchange.whole(503, json.dumps(QUEUE_FULL).encode())
        else:
            self.running += 1
            await self._answer(exchange)
            self.running -= 1

    async def _answer(self, exchange: FakeExchange) -> None:
        usage = self._usage(exchange.json)
        if not exchange.json["stream"]:
            await self.go_on.wait()
            message = {"role": "assistant", "content": "I am", "reasoning_content": None, "tool_calls": None}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "matched_stop": None}
            whole = {**ENVELOPE, "object": "chat.completion", "choices": [choice], "usage": usage}
            exchange.whole(200, json.dumps({**whole, "metadata": {"weight_version": "default"}}).encode())
            return
        exchange.start_stream()
        nothing = {"reasoning_content": None, "tool_calls": None}
        exchange.event(_frame({"role": "assistant", "content": "", **nothing}))
        exchange.event(_frame({"role": None, "content": "I", **nothing}))
        if not await self._may_go_on(exchange):
            self.aborted += 1
            return
        exchange.event(_frame({"role": None, "content": " am", **nothing}))
        exchange.event(_frame({"role": None, "content": None, **nothing}, finish="stop"))
        exchange.event(json.dumps({**ENVELOPE, "choices": [], "usage": usage}).encode())
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
        return {
            "prompt_tokens": PROMPT_TOKENS,
            "total_tokens": PROMPT_TOKENS + 2,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": cached} if self._reports_cache else None,
            "reasoning_tokens": 0,
        }


def _frame(delta: dict[str, Any], *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "matched_stop": None}
    return json.dumps({**ENVELOPE, "choices": [choice], "usage": None}, separators=(",", ":")).encode()
