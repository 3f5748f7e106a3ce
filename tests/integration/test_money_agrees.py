"""What clients were shown is what they are charged, to the nano-dollar."""

import random
from concurrent.futures import ThreadPoolExecutor

from tests.integration.platform_process import EMBEDDING_MODEL, FAST_MODEL, MODEL, PlatformProcess, chat
from tests.integration.streams import read_stream

# Dollars per million tokens are pico-dollars per token, in micro-dollars: input, cached input, output.
PRICES = {
    "standard": (100_000, 50_000, 400_000),
    "priority": (150_000, 75_000, 600_000),
    "fast": (200_000, 100_000, 800_000),
    "embeddings": (10_000, 5_000, 0),
}


def charged(usage: dict, path: str) -> int:
    """Nano-dollars by the printed price list, rounded half to even, computed apart from the platform's own code."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    price, cached_price, output = PRICES[path]
    uncached = usage["prompt_tokens"] - cached
    picodollars = uncached * price + cached * cached_price + usage.get("completion_tokens", 0) * output
    return round(picodollars / 1_000)


def test_ten_clients_own_tallies_equal_the_ledger(platform: PlatformProcess):
    """Ten clients send a mixture of everything side by side and add up usage x price by themselves."""
    key = platform.new_key("tally")
    draw = random.Random(20261120)

    def one_call(number: int) -> int:
        kind = draw.choice(
            ["standard", "priority", "fast", "stream", "choices", "messages", "completions", "embeddings"]
        )
        words = "word " * draw.randrange(1, 80)
        with platform.client(key) as client:
            if kind == "embeddings":
                body = {"model": EMBEDDING_MODEL, "input": [words, "x"]}
                return charged(client.post("/embeddings", json=body).json()["usage"], "embeddings")
            if kind == "completions":
                body = {"model": MODEL, "prompt": [words, "Hello"], "max_tokens": 7}
                return charged(client.post("/completions", json=body).json()["usage"], "standard")
            if kind == "messages":
                body = {"model": MODEL, "max_tokens": 9, "messages": chat(words)["messages"]}
                usage = client.post("/messages", json=body).json()["usage"]
                shown = {
                    "prompt_tokens": usage["input_tokens"] + usage["cache_read_input_tokens"],
                    "prompt_tokens_details": {"cached_tokens": usage["cache_read_input_tokens"]},
                    "completion_tokens": usage["output_tokens"],
                }
                return charged(shown, "standard")
            if kind == "stream":
                seen = read_stream(client, chat(words, max_tokens=11))
                assert seen.usage is not None
                return charged(seen.usage, "standard")
            fields = {
                "priority": {"service_tier": "priority"},
                "fast": {"model": FAST_MODEL},
                "choices": {"n": 3, "temperature": 1.0},
            }.get(kind, {})
            answer = client.post("/chat/completions", json={**chat(words, max_tokens=13), **fields}).json()
            return charged(answer["usage"], kind if kind in PRICES else "standard")

    with ThreadPoolExecutor(10) as clients:
        tallies = list(clients.map(one_call, range(150)))
    used = platform.usage("tally")
    assert used["requests"] == 150
    assert used["nanodollars"] == sum(tallies)
    verified = platform.command("ledger", "verify")
    assert verified.returncode == 0, verified.stdout


def test_refusals_cost_nothing(platform: PlatformProcess):
    """What was refused leaves no trace in the ledger."""
    key = platform.new_key("refused")
    with platform.client(key) as client:
        for body in (
            chat("x", model="accounts/servery/models/none"),
            chat("x", temperature=99),
            chat("word " * 9_000),
            chat("x", response_format={"type": "grammar", "grammar": "root ::= nothing"}),
        ):
            assert client.post("/chat/completions", json=body).status_code in {400, 404}
    assert platform.usage("refused")["requests"] == 0
