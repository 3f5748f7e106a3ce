"""Anthropic's messages, passed through to a real vLLM and translated for it, come to the same."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import MessageParam, ToolParam

from tests.engines_vllm.asking import fresh
from tests.engines_vllm.conftest import MODEL
from tests.engines_vllm.test_answers import SCHEMA
from tests.engines_vllm.vllm_process import BLOCK_TOKENS, CONTEXT_LENGTH, SERVED_MODEL, VllmProcess
from tests.integration.platform_process import PlatformProcess

HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
PAINT: ToolParam = {"name": "paint", "input_schema": SCHEMA, "strict": True}
TRANSLATED = {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}
"""Changes nothing in a conversation without thinking, and cannot be passed on."""


@pytest.fixture
def sdk(platform: PlatformProcess, client: httpx.Client) -> Iterator[anthropic.Anthropic]:
    key = client.headers["authorization"].removeprefix("Bearer ")
    with anthropic.Anthropic(base_url=platform.base_url, api_key=key, max_retries=0) as sdk:
        yield sdk


def message(text: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, "max_tokens": 8, "temperature": 0, **fields}


def events(client: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = client.post("/messages", json={**body, "stream": True})
    assert response.status_code == 200, response.text
    lines = [line for line in response.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def asked(client: httpx.Client, body: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """A whole message, or the event that ends a stream with usage."""
    return events(client, body)[-2] if stream else client.post("/messages", json=body).json()


def asked_natively(engine: VllmProcess) -> int:
    """How many requests came to its own endpoint for messages, by its log."""
    return engine.log_text().count('"POST /v1/messages HTTP/1.1"')


def charges(platform: PlatformProcess, client: httpx.Client) -> int:
    """Nano-dollars charged so far."""
    told = client.get(f"{platform.base_url}/metrics").text
    lines = [line for line in told.splitlines() if line.startswith("servery_charged_nanodollars_total{")]
    return sum(round(float(line.rsplit(" ", 1)[1])) for line in lines)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "system", [None, "be brief", [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}]]
)
def test_usage_and_charge_are_the_same_both_ways(
    platform: PlatformProcess, engine: VllmProcess, stream: bool, system: object
) -> None:
    """To the token and the nano-dollar, of a prompt that is new and of one that is cached."""
    told: dict[bool, list[Any]] = {}
    body = message(fresh(100), **({} if system is None else {"system": system}))
    for passes in (True, False):
        told[passes] = []
        with platform.client(platform.new_key(f"both-ways-{fresh(8)}")) as client:
            for _ in range(2):
                natively, charged = asked_natively(engine), charges(platform, client)
                usage = asked(client, body if passes else {**body, **TRANSLATED}, stream=stream)["usage"]
                told[passes].append((usage, charges(platform, client) - charged))
                assert asked_natively(engine) - natively == passes
    assert told[True] == told[False]
    (new, dear), (cached, cheap) = told[True]
    assert new["cache_read_input_tokens"] == 0
    assert cached["cache_read_input_tokens"] >= 100 // BLOCK_TOKENS * BLOCK_TOKENS
    assert cached["input_tokens"] + cached["cache_read_input_tokens"] == new["input_tokens"]
    assert dear > cheap > 0


def joined(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pieces of text that follow each other as one."""
    pieces: list[dict[str, Any]] = []
    for event in told:
        text = event.get("delta", {}).get("text")
        if text is not None and pieces and "text" in pieces[-1].get("delta", {}):
            pieces[-1]["delta"]["text"] += text
        else:
            pieces.append(event)
    return pieces


def test_both_ways_say_the_same(client: httpx.Client) -> None:
    """The same events in the same order, in our own words. Of tokens that are ready at once vLLM makes one event."""
    body = message(fresh(50), max_tokens=24)
    passed, translated = events(client, body), events(client, {**body, **TRANSLATED})
    for told in (passed, translated):
        assert told[0]["message"]["id"].startswith("msg_")
        assert told[0]["message"]["model"] == MODEL
        told[0]["message"]["id"] = ""
        told[-2]["usage"]["input_tokens"] += told[-2]["usage"].pop("cache_read_input_tokens")
    assert joined(passed) == joined(translated)
    assert SERVED_MODEL not in json.dumps(passed)


def test_priority_is_translated(client: httpx.Client, engine: VllmProcess) -> None:
    """Anthropic's form has no place for it."""
    before = asked_natively(engine)
    answer = client.post("/messages", json=message(fresh(50), service_tier="priority")).json()
    assert answer["usage"]["service_tier"] == "priority"
    assert asked_natively(engine) == before


def test_accounts_do_not_share_the_prompt_cache(platform: PlatformProcess, client: httpx.Client) -> None:
    """In this form either."""
    body = message(fresh(200))
    for who, cached in ((client, False), (client, True)):
        assert bool(who.post("/messages", json=body).json()["usage"]["cache_read_input_tokens"]) is cached
    with platform.client(platform.new_key("messages")) as other:
        assert other.post("/messages", json=body).json()["usage"]["cache_read_input_tokens"] == 0


def test_anthropics_client_reads_a_stream(sdk: anthropic.Anthropic) -> None:
    """Text, and a tool that is called with arguments that fit."""
    with sdk.messages.stream(model=MODEL, messages=HELLO, max_tokens=8) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text
    assert [block.type for block in final.content] == ["text"]
    assert final.stop_reason in {"max_tokens", "end_turn"}  # noise may end by itself
    with sdk.messages.stream(
        model=MODEL, messages=HELLO, max_tokens=200, tools=[PAINT], tool_choice={"type": "any"}
    ) as stream:
        blocks = stream.get_final_message().content
    assert {block.type for block in blocks} == {"tool_use"}  # noise may call more than once, and be cut short
    assert getattr(blocks[0], "input", {}).get("colour") in {"red", "green"}


def test_an_answer_is_shortened_to_what_fits(client: httpx.Client) -> None:
    """As in OpenAI's form."""
    answer = client.post("/messages", json=message(fresh(1_900), max_tokens=100_000)).json()
    usage = answer["usage"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["output_tokens"] <= CONTEXT_LENGTH
    assert answer["stop_reason"] in {"max_tokens", "end_turn"}


@pytest.mark.parametrize("stream", [False, True])
def test_the_engines_words_about_a_request_are_passed_on(client: httpx.Client, stream: bool) -> None:
    """Also of a stream, where vLLM tells them in OpenAI's form only."""
    wanted = {"format": {"type": "json_schema", "schema": {"type": "banana"}}}
    refused = client.post("/messages", json={**message("hi", output_config=wanted), "stream": stream})
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert "banana" in refused.json()["error"]["message"]
    assert SERVED_MODEL not in refused.text
    too_long = client.post("/messages", json={**message(fresh(3_000)), "stream": stream})
    assert too_long.status_code == 400
    assert too_long.json()["error"]["message"].startswith("prompt is too long: ")


TURNS: list[Any] = [
    {"role": "user", "content": [{"type": "text", "text": "paint"}, {"type": "text", "text": "it"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I do"},
            {"type": "tool_use", "id": "toolu_1", "name": "paint", "input": {"colour": "red"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "done"}]},
            {"type": "text", "text": "again"},
        ],
    },
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be terse."},
        {"system": [{"type": "text", "text": "Be terse."}, {"type": "text", "text": "Mostly."}]},
        {"tools": [PAINT]},
        {"tools": [PAINT], "tool_choice": {"type": "none"}},
        {"tools": [PAINT], "messages": TURNS, "system": "Be terse."},
        {"messages": [*HELLO, {"role": "assistant", "content": "well"}]},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
    ],
)
def test_counted_tokens_are_those_of_the_bill(client: httpx.Client, fields: dict[str, Any], stream: bool) -> None:
    """Whether the messages are passed on or translated."""
    asked = {"model": MODEL, "messages": HELLO, **fields}
    response = client.post("/messages/count_tokens", json=asked)
    assert response.status_code == 200, response.text
    counted = response.json()["input_tokens"]
    body = {**asked, "max_tokens": 2}
    if stream:
        usage = events(client, body)[-2]["usage"]
    else:
        whole = client.post("/messages", json=body)
        assert whole.status_code == 200, whole.text
        usage = whole.json()["usage"]
    assert counted == usage["input_tokens"] + usage["cache_read_input_tokens"]
