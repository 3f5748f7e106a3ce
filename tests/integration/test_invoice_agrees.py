"""Ten clients' own tallies of what they were shown equal the invoice, to the nano-dollar."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import anthropic
import httpx
import openai

from tests.integration.platform_process import EMBEDDING_MODEL, FAST_MODEL, MODEL, PlatformProcess
from tests.integration.test_money_agrees import charged

CALLS = 8


class Tally:
    """A client with a key of its own, which calls what it likes and adds up usage x prices by itself."""

    def __init__(self, platform: PlatformProcess, key: str, seed: int) -> None:
        self.openai = openai.OpenAI(base_url=f"{platform.base_url}/inference/v1", api_key=key, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=f"{platform.base_url}/inference", api_key=key, max_retries=0)
        self._draw = random.Random(seed)
        self.nanodollars = 0

    def run(self) -> int:
        """All calls, one after another; returns the sum of what they cost."""
        for _ in range(CALLS):
            call = self._draw.choice([self._chat, self._stream, self._priority, self._fast, self._message, self._embed])
            self.nanodollars += call("word " * self._draw.randrange(1, 60))
        self.openai.close()
        self.anthropic.close()
        return self.nanodollars

    def _chat(self, words: str, path: str = "standard", **fields: object) -> int:
        messages = [{"role": "user", "content": words}]
        answer = self.openai.chat.completions.create(
            **{"model": MODEL, "messages": messages, "max_tokens": 9, **fields}
        )
        return charged(answer.usage.model_dump(), path)

    def _priority(self, words: str) -> int:
        return self._chat(words, "priority", service_tier="priority")

    def _fast(self, words: str) -> int:
        return self._chat(words, "fast", model=FAST_MODEL)

    def _stream(self, words: str) -> int:
        messages = [{"role": "user", "content": words}]
        chunks = list(self.openai.chat.completions.create(model=MODEL, messages=messages, max_tokens=7, stream=True))
        (usage,) = (chunk.usage for chunk in chunks if chunk.usage is not None)
        return charged(usage.model_dump(), "standard")

    def _message(self, words: str) -> int:
        messages = [{"role": "user", "content": words}]
        usage = self.anthropic.messages.create(model=MODEL, max_tokens=8, messages=messages).usage
        shown = {
            "prompt_tokens": usage.input_tokens + (usage.cache_read_input_tokens or 0),
            "prompt_tokens_details": {"cached_tokens": usage.cache_read_input_tokens or 0},
            "completion_tokens": usage.output_tokens,
        }
        return charged(shown, "standard")

    def _embed(self, words: str) -> int:
        usage = self.openai.embeddings.create(model=EMBEDDING_MODEL, input=[words, "x"]).usage
        return charged({"prompt_tokens": usage.prompt_tokens}, "embeddings")


def test_ten_clients_own_tallies_equal_the_invoice(platform: PlatformProcess):
    """By key as by account: the costs that are queried, the invoice's total and its lines are what clients add up."""
    tallies = [Tally(platform, platform.new_key("invoiced"), seed) for seed in range(10)]
    with ThreadPoolExecutor(len(tallies)) as clients:
        sums = list(clients.map(Tally.run, tallies))
    month = datetime.now(UTC).strftime("%Y-%m")
    with httpx.Client(
        base_url=f"{platform.base_url}/v1/accounts/invoiced", headers={"x-api-key": platform.key}
    ) as plane:
        invoice = plane.get(f"/invoices/{month}").json()
        by_key = plane.post("/usageCosts:query", json={"groupBy": ["API_KEY"]}).json()["rows"]
        listed = plane.get("/requests", params={"pageSize": 200}).json()["requests"]
    assert sorted(nanodollars(row["subtotal"]) for row in by_key) == sorted(sums)
    assert nanodollars(invoice["total"]) == sum(sums)
    assert sum(Decimal(line["amountUsd"]) for line in invoice["lines"]) == Decimal(sum(sums)) / 10**9
    assert len(listed) == 10 * CALLS
    assert sum(nanodollars(receipt["charge"]) for receipt in listed) == sum(sums)
    assert platform.command("ledger", "verify").returncode == 0


def nanodollars(money: dict[str, str | int]) -> int:
    return int(money["units"]) * 10**9 + int(money["nanos"])


def test_a_refused_requests_receipt_says_why(platform: PlatformProcess):
    """By the id that its response carried."""
    key = platform.new_key("wrong")
    with platform.client(key) as client:
        refused = client.post("/chat/completions", json={"model": "accounts/servery/models/none", "messages": []})
        assert refused.status_code in {400, 404}
        request_id = refused.headers["x-request-id"]
    with httpx.Client(base_url=f"{platform.base_url}/v1/accounts/wrong", headers={"x-api-key": key}) as plane:
        receipt = plane.get(f"/requests/{request_id}").json()
    assert (receipt["state"], receipt["status"]) == ("refused", refused.status_code)
    assert receipt["reason"]
