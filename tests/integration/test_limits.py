"""Token limits of a platform in a process of its own, seen by the clients that meet them."""

import time

import anthropic
import httpx
import openai
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess, chat


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory):
    with PlatformProcess(tmp_path_factory.mktemp("limits") / "data", "--limit-save-interval-s", "0.5") as running:
        yield running


def limits_of(platform: PlatformProcess, account: str) -> dict[str, str]:
    answer = httpx.get(
        f"{platform.base_url}/v1/accounts/{account}/serverlessRateLimits",
        params={"deployment": MODEL},
        headers={"x-api-key": platform.key},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return {one["metric"]: one["effectiveLimit"] for one in answer.json()["rateLimits"]}


def wait_for_limit(platform: PlatformProcess, account: str, tokens: str) -> None:
    deadline = time.monotonic() + 120
    while limits_of(platform, account)["TOKENS_GENERATED"] != tokens:
        assert time.monotonic() < deadline, limits_of(platform, account)
        time.sleep(0.05)


def test_a_limit_is_fixed_met_and_told(platform: PlatformProcess):
    """By a command, while the platform runs; then both clients are refused with what they need to come back, and
    another account is not concerned. After a restart it is still fixed."""
    key, other = platform.new_key("acme"), platform.new_key("globex")
    fixed = platform.command("limits", "set", MODEL, "--account", "acme", "--generated", "60")
    assert fixed.returncode == 0, fixed.stderr
    wait_for_limit(platform, "acme", "60")
    meets_its_limit(platform, key)
    with httpx.Client(base_url=f"{platform.base_url}/v1", headers={"x-api-key": other}, timeout=60) as client:
        answer = client.post("/chat/completions", json=chat("Count.", max_tokens=60))
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ratelimit-limit-tokens-generated"] == "36000"
    platform.stop()
    platform.start()
    assert limits_of(platform, "acme")["TOKENS_GENERATED"] == "60"
    assert platform.command("limits", "clear", MODEL, "--account", "acme").returncode == 0
    wait_for_limit(platform, "acme", "36000")


def meets_its_limit(platform: PlatformProcess, key: str) -> None:
    openai_client = openai.OpenAI(base_url=f"{platform.base_url}/v1", api_key=key, max_retries=0)
    messages = [{"role": "user", "content": "Tell me a story."}]

    def ask_often() -> None:
        for _ in range(20):
            openai_client.chat.completions.create(
                model=MODEL, messages=messages, max_tokens=50, extra_body={"ignore_eos": True}
            )

    with pytest.raises(openai.RateLimitError) as refused:
        ask_often()
    told = refused.value.body["rate_limit"]
    assert (told["metric"], told["limit_per_minute"]) == ("TOKENS_GENERATED", 60)
    assert told["requested"] > told["remaining"]
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 90
    assert headers["x-ratelimit-limit-tokens-generated"] == "60"
    assert headers["x-ratelimit-over-limit"] == "yes"

    anthropic_client = anthropic.Anthropic(base_url=platform.base_url, api_key=key, max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as refused:
        anthropic_client.messages.create(model=MODEL, messages=messages, max_tokens=50)
    assert refused.value.body["error"]["rate_limit"]["metric"] == "TOKENS_GENERATED"
    assert refused.value.response.headers["anthropic-ratelimit-output-tokens-limit"] == "60"
