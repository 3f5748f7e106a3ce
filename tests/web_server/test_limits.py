"""What a client is told of its limits, on answers and on 429s, in both dialects."""

import pytest
from tests.fakes.engine_scripts import serves
from tests.serving.house import PLAIN
from tests.web_server.test_entrance import MESSAGES, Door, door

__all__ = ["door"]

COMMON = {
    f"x-ratelimit-{kind}-{name}"
    for kind in ("limit", "remaining")
    for name in ("tokens-prompt", "tokens-cache-adjusted-prompt", "tokens-generated", "requests")
}
ANTHROPIC = {
    f"anthropic-ratelimit-{name}-{kind}"
    for name in ("requests", "tokens", "input-tokens", "output-tokens")
    for kind in ("limit", "remaining", "reset")
}


@pytest.mark.parametrize(("path", "headers"), [("/v1/chat/completions", COMMON), ("/v1/messages", COMMON | ANTHROPIC)])
async def test_every_answer_and_every_429_tells_the_limits(door: Door, path: str, headers: set[str]) -> None:
    """The limits, what is left of them, and whether they were exceeded; a 429 also which one, how much was asked for,
    what remains, and when to come back."""
    door.house.first.always = serves(["x"] * 380)
    door.ask(path, model=PLAIN, messages=MESSAGES, max_tokens=390)
    answer = await door.client.response()
    assert answer.status == 200
    assert headers <= answer.headers.keys()
    assert answer.headers["x-ratelimit-over-limit"] == "no"
    assert answer.headers["x-ratelimit-limit-requests"] == "6000"

    door.ask(path, model=PLAIN, messages=MESSAGES, max_tokens=300)
    refusal = await door.client.response()
    assert refusal.status == 429
    assert headers <= refusal.headers.keys()
    assert refusal.headers["x-ratelimit-over-limit"] == "yes"
    assert refusal.headers["x-ratelimit-remaining-tokens-generated"] == "20"
    told = refusal.json["error"]["rate_limit"]
    wait_ms = told.pop("retry_after_ms")
    asked = told.pop("requested")
    assert told == {"metric": "TOKENS_GENERATED", "limit_per_minute": 400, "remaining": 20}
    assert 20 < asked <= 300
    shortest_ms = (asked - 20) * 60_000 / 400
    assert shortest_ms <= wait_ms <= shortest_ms * 1.5 + 1
    assert refusal.headers["retry-after-ms"] == str(wait_ms)
    assert int(refusal.headers["retry-after"]) == -(-wait_ms // 1_000)
    assert f"{asked} generated tokens asked for, 20 of 400 per minute remain" in refusal.json["error"]["message"]
    assert 'servery_limit_refusals_total{limit="TOKENS_GENERATED"} 1.0' in door.metrics.render().decode()
