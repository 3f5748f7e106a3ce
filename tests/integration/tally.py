"""Clients that add up what they are shown: usage x the public price list, by themselves."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import anthropic
import httpx
import openai

from tests.integration.platform_process import EMBEDDING_MODEL, FAST_MODEL, MODEL, PlatformProcess

Prices = dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]]
"""Dollars per million tokens (input, cached input, output), by model and serving path."""

_LONG = "You are a very patient helper who knows all about bees. " * 12


def public_prices(platform: PlatformProcess) -> Prices:
    """As everybody may read them, without a key."""
    rows = httpx.get(f"{platform.base_url}/v1/pricing", timeout=60).json()["models"]
    return {
        (row["model"], row["servingPath"]): (
            Decimal(row["price"]["input"]),
            Decimal(row["price"]["cachedInput"]),
            Decimal(row["price"]["output"]),
        )
        for row in rows
    }


@dataclass(frozen=True)
class Entry:
    """One request: what its client was shown, and what it makes of it."""

    kind: str
    model: str
    path: str
    team: str
    day: str
    prompt: int
    cached: int
    generated: int
    nanodollars: int


class Tally:
    """A client with a key of its own, which calls everything there is, in an order of its own."""

    def __init__(self, platform: PlatformProcess, key: str, prices: Prices, *, seed: int) -> None:
        self.entries: list[Entry] = []
        self._draw = random.Random(seed)
        self._team = ("search", "ads", "")[seed % 3]
        self._prices = prices
        self._system = f"Number {seed}. {_LONG}"
        headers = {"Fireworks-Annotations": f"team={self._team},project=p{seed % 2}"} if self._team else {}
        base = f"{platform.base_url}/inference"
        self._openai = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, default_headers=headers)
        self._anthropic = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, default_headers=headers)
        plane = f"{platform.base_url}/v1/accounts/tallied"
        self._plane = httpx.Client(base_url=plane, headers={"x-api-key": key}, timeout=60)

    def run(self) -> list[Entry]:
        calls: list[Callable[[], None]] = [
            *(self._json, self._stream, self._choices, self._priority, self._fast, self._completions, self._abort),
            *(self._message, self._message_stream, self._embed, self._cached),
        ]
        self._draw.shuffle(calls)
        for call in calls:
            call()
        self._openai.close()
        self._anthropic.close()
        self._plane.close()
        return self.entries

    def _words(self) -> str:
        return "word " * self._draw.randrange(1, 60)

    def _messages(self) -> list[Any]:
        return [{"role": "user", "content": self._words()}]

    def _json(self) -> None:
        answer = self._openai.chat.completions.create(model=MODEL, messages=self._messages(), max_tokens=9)
        self._enter("json", MODEL, answer.usage)

    def _stream(self) -> None:
        chunks = self._openai.chat.completions.create(
            model=MODEL, messages=self._messages(), max_tokens=7, stream=True, stream_options={"include_usage": True}
        )
        (usage,) = (chunk.usage for chunk in chunks if chunk.usage is not None)
        self._enter("stream", MODEL, usage)

    def _choices(self) -> None:
        answer = self._openai.chat.completions.create(
            model=MODEL, messages=self._messages(), max_tokens=5, n=3, temperature=1.0
        )
        assert len(answer.choices) == 3
        self._enter("choices", MODEL, answer.usage)

    def _priority(self) -> None:
        answer = self._openai.chat.completions.create(
            model=MODEL, messages=self._messages(), max_tokens=4, service_tier="priority"
        )
        self._enter("priority", MODEL, answer.usage, "priority")

    def _fast(self) -> None:
        answer = self._openai.chat.completions.create(model=FAST_MODEL, messages=self._messages(), max_tokens=6)
        self._enter("fast", FAST_MODEL, answer.usage, "fast")

    def _completions(self) -> None:
        answer = self._openai.completions.create(model=MODEL, prompt=[self._words(), "Hello"], max_tokens=7)
        self._enter("completions", MODEL, answer.usage)

    def _cached(self) -> None:
        messages: list[Any] = [{"role": "system", "content": self._system}, {"role": "user", "content": "Who?"}]
        for _ in range(3):
            answer = self._openai.chat.completions.create(model=MODEL, messages=messages, max_tokens=3, user="mine")
            self._enter("cached", MODEL, answer.usage)

    def _embed(self) -> None:
        usage = self._openai.embeddings.create(model=EMBEDDING_MODEL, input=[self._words(), "x"]).usage
        self._add("embeddings", EMBEDDING_MODEL, (usage.prompt_tokens, 0, 0))

    def _message(self) -> None:
        usage = self._anthropic.messages.create(model=MODEL, max_tokens=8, messages=self._messages()).usage
        self._enter_message("message", usage)

    def _message_stream(self) -> None:
        with self._anthropic.messages.stream(model=MODEL, max_tokens=8, messages=self._messages()) as stream:
            usage = stream.get_final_message().usage
        self._enter_message("message stream", usage)

    def _abort(self) -> None:
        """Close the connection after some pieces. The client was shown no usage: it takes that of the receipt, which
        has at least what it saw, and not what it asked for."""
        response = self._openai.chat.completions.create(
            model=MODEL,
            messages=self._messages(),
            max_tokens=1_500,
            n=4,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        seen = 0
        for chunk in response:
            seen += bool(chunk.choices and chunk.choices[0].delta.content)
            if seen == 3:
                break
        response.close()
        usage = self._receipt(response.response.headers["x-request-id"])["usage"]
        generated = int(usage["generatedTokens"])
        assert seen <= generated < 4 * 1_500
        self._add("aborted", MODEL, (int(usage["promptTokens"]), int(usage["cachedPromptTokens"]), generated))

    def _receipt(self, request_id: str) -> dict[str, Any]:
        """Of a request whose client has gone: the platform notices within moments."""
        until_s = time.monotonic() + 120.0
        while time.monotonic() < until_s:
            answer = self._plane.get(f"/requests/{request_id}")
            if answer.status_code == 200:
                return dict(answer.json())
            time.sleep(0.05)
        raise AssertionError(f"{request_id} has no receipt")

    def _enter_message(self, kind: str, usage: anthropic.types.Usage) -> None:
        cached = usage.cache_read_input_tokens or 0
        self._add(kind, MODEL, (usage.input_tokens + cached, cached, usage.output_tokens))

    def _enter(self, kind: str, model: str, usage: openai.types.CompletionUsage | None, path: str = "standard") -> None:
        assert usage is not None
        details = usage.prompt_tokens_details
        cached = 0 if details is None else details.cached_tokens or 0
        self._add(kind, model, (usage.prompt_tokens, cached, usage.completion_tokens), path)

    def _add(self, kind: str, model: str, tokens: tuple[int, int, int], path: str = "standard") -> None:
        prompt, cached, generated = tokens
        amounts = zip((prompt - cached, cached, generated), self._prices[model, path], strict=True)
        dollars_per_million = sum(Fraction(count) * Fraction(price) for count, price in amounts)
        day = datetime.now(UTC).date().isoformat()
        self.entries.append(
            Entry(kind, model, path, self._team, day, *tokens, nanodollars=round(dollars_per_million * 1_000))
        )


def summed(
    entries: Iterable[Entry], by: Callable[[Entry], Any], of: Callable[[Entry], int] = lambda entry: entry.nanodollars
) -> dict[Any, int]:
    """Sums of groups."""
    sums: dict[Any, int] = {}
    for entry in entries:
        sums[by(entry)] = sums.get(by(entry), 0) + of(entry)
    return sums


def nanodollars(money: dict[str, str | int]) -> int:
    return int(money["units"]) * 10**9 + int(money["nanos"])
