"""Every answer and every event is, to the letter of its type, what the official clients declare.

Their clients are lenient: what does not fit a type is handed on as it is. Here the same types are applied strictly.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaMessageTokensCount, BetaModelInfo, BetaRawMessageStreamEvent
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from tests.integration.platform_process import EMBEDDING_MODEL, FAST_MODEL, MODEL, PlatformProcess

WHO = [{"role": "user", "content": "Who are you?"}]
OSLO = [{"role": "user", "content": "What is the weather in Oslo?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
ANTHROPICS_TOOLS = [{"name": "get_weather", "input_schema": PARAMETERS}]
STRUCTURED = {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}


@pytest.fixture(scope="module")
def client(platform: PlatformProcess) -> Iterator[httpx.Client]:
    with platform.client() as made:
        made.headers["anthropic-version"] = "2023-06-01"
        yield made


def answer(client: httpx.Client, path: str, body: dict[str, Any]) -> bytes:
    response = client.post(path, json={"model": MODEL, **body})
    assert response.status_code == 200, response.text
    return response.content


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[bytes]:
    lines = answer(client, path, {**body, "stream": True}).split(b"\n")
    data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    return [event for event in data if event != b"[DONE]"]


def check(shown: bytes, *shapes: Any) -> None:
    for shape in shapes:
        TypeAdapter(shape).validate_json(shown, strict=True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": FAST_MODEL},
        {"service_tier": "priority"},
        {"max_tokens": 3},
        {"stop": [" model"]},
        {"n": 2},
        {"logprobs": True, "top_logprobs": 2},
        {"response_format": {"type": "json_object"}},
        {"messages": OSLO, "tools": TOOLS},
        {"messages": WHO, "tools": TOOLS, "tool_choice": "required"},
        {"messages": OSLO, "tools": TOOLS, "tool_choice": "none"},
        {"messages": OSLO, "functions": [TOOLS[0]["function"]]},
        {"stream_options": {"include_usage": False}, "stream": True},
        {"perf_metrics_in_response": True},
    ],
)
def test_chat_completions(client: httpx.Client, fields: dict[str, Any]) -> None:
    """Whole, and each chunk of a stream."""
    body = {"messages": WHO, "max_tokens": 40, **fields}
    if "stream" not in body:
        check(answer(client, "/chat/completions", body), ChatCompletion)
    for event in events(client, "/chat/completions", body):
        check(event, ChatCompletionChunk)


@pytest.mark.parametrize("fields", [{}, {"logprobs": 1}, {"n": 2}, {"prompt": [[1, 2], [3]]}])
def test_completions(client: httpx.Client, fields: dict[str, Any]) -> None:
    """Whole, and each chunk of a stream, but that a choice has no reason to end before its end: there OpenAI's own
    answers say null too, which their type does not know."""
    body = {"prompt": "Hello", "max_tokens": 5, **fields}
    check(answer(client, "/completions", body), Completion)
    for event in events(client, "/completions", body):
        check(event.replace(b'"finish_reason":null', b'"finish_reason":"stop"'), Completion)


def test_embeddings_and_models(client: httpx.Client) -> None:
    """As numbers, which is the type that is declared."""
    check(answer(client, "/embeddings", {"model": EMBEDDING_MODEL, "input": ["a", "b"]}), CreateEmbeddingResponse)
    del client.headers["anthropic-version"]
    listed = client.get("/models").json()["data"]
    client.headers["anthropic-version"] = "2023-06-01"
    for model in listed:
        check(json.dumps(model).encode(), Model)
    for model in client.get("/models").json()["data"]:
        check(json.dumps(model).encode(), ModelInfo, BetaModelInfo)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": FAST_MODEL},
        {"service_tier": "priority"},
        {"max_tokens": 3},
        {"stop_sequences": [" model"]},
        {"system": [{"type": "text", "text": "Be terse.", "cache_control": {"type": "ephemeral"}}]},
        {"metadata": {"user_id": "somebody"}},
        {"messages": OSLO, "tools": ANTHROPICS_TOOLS},
        {"tools": ANTHROPICS_TOOLS, "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        {"messages": OSLO, "tools": ANTHROPICS_TOOLS, "tool_choice": {"type": "none"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1_100},
        {"output_config": {"format": STRUCTURED, "effort": "low"}},
    ],
)
def test_messages(client: httpx.Client, fields: dict[str, Any]) -> None:
    """Of the stable API and of the beta."""
    body = {"messages": WHO, "max_tokens": 40, **fields}
    check(answer(client, "/messages", body), Message, BetaMessage)
    for event in events(client, "/messages", body):
        check(event, RawMessageStreamEvent, BetaRawMessageStreamEvent)


def test_counts(client: httpx.Client) -> None:
    """Likewise."""
    counted = answer(client, "/messages/count_tokens", {"messages": OSLO, "tools": ANTHROPICS_TOOLS})
    check(counted, MessageTokensCount, BetaMessageTokensCount)
