"""The official Fireworks client, with its strict validation of responses switched on."""

import fireworks
import pytest

from tests.integration.platform_process import FAST_MODEL, MODEL, PlatformProcess

WHO = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="module", params=["/inference", ""])
def client(platform: PlatformProcess, request: pytest.FixtureRequest):
    with fireworks.Fireworks(
        base_url=platform.base_url + request.param,
        api_key=platform.key,
        account_id="default",
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


@pytest.mark.parametrize("model", [MODEL, FAST_MODEL])
def test_chat(client, model):
    """A chat completion validates strictly."""
    answer = client.chat.completions.create(model=model, messages=WHO, temperature=0)
    assert "Servery" in answer.choices[0].message.content
    assert answer.usage.prompt_tokens_details.cached_tokens >= 0


def test_stream_with_performance_metrics(client):
    """Every chunk validates strictly; the last carries usage and, asked for, performance metrics."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=WHO, temperature=0, stream=True, perf_metrics_in_response=True
        )
    )
    assert "Servery" in "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage.completion_tokens > 5
    assert chunks[-1].perf_metrics["prompt-tokens"] == chunks[-1].usage.prompt_tokens


def test_performance_metrics_in_headers_and_body(client):
    """What the headers say of a whole answer is what its usage says; the body tells the same when asked."""
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=WHO, perf_metrics_in_response=True)
    answer = raw.parse()
    assert int(raw.headers["fireworks-prompt-tokens"]) == answer.usage.prompt_tokens
    assert int(raw.headers["fireworks-cached-prompt-tokens"]) == answer.usage.prompt_tokens_details.cached_tokens
    assert float(raw.headers["fireworks-server-time-to-first-token"]) > 0
    assert float(raw.headers["fireworks-server-processing-time"]) == pytest.approx(
        float(answer.perf_metrics["server-processing-time"])
    )
    for dimension in ("prompt", "cache-adjusted-prompt", "generated"):
        limit = int(raw.headers[f"x-ratelimit-limit-tokens-{dimension}"])
        assert 0 < int(raw.headers[f"x-ratelimit-remaining-tokens-{dimension}"]) <= limit
    assert raw.headers["x-request-id"] == answer.id


def test_completions_and_messages(client):
    """The other two generating endpoints validate too."""
    assert client.completions.create(model=MODEL, prompt="Hello", max_tokens=4).choices[0].text
    assert client.messages.create(model=MODEL, messages=WHO).content[0].text  # without max_tokens, as it may be


def test_control_plane_models(platform: PlatformProcess):
    """The control plane lists the platform's models to the client."""
    with fireworks.Fireworks(base_url=platform.base_url, api_key=platform.key, account_id="default") as client:
        names = [model.name for model in client.models.list(account_id="servery")]
    assert MODEL in names
