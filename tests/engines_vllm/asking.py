"""What the tests ask of the tiny model, and reading its answers. It says noise, so its lengths are prescribed."""

import json
import uuid
from typing import Any

import httpx

from tests.engines_vllm.conftest import MODEL

TEMPLATE_TOKENS = len("\x01user\n\x01\n\x01assistant\n")
"""Around one user message: each special token and each byte is one token."""


def chat(text: str, **fields: Any) -> dict[str, Any]:
    fields = {"max_tokens": 8, "ignore_eos": True, "temperature": 0, **fields}
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def completion(prompt: object, **fields: Any) -> dict[str, Any]:
    fields = {"max_tokens": 8, "ignore_eos": True, "temperature": 0, **fields}
    return {"model": MODEL, "prompt": prompt, **fields}


def fresh(length: int) -> str:
    """A text of ``length`` bytes that no prompt cache has seen."""
    return (uuid.uuid4().hex * (length // 32 + 1))[:length]


def ask(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """All events of a stream that is complete."""
    response = client.post(path, json={**body, "stream": True})
    assert response.status_code == 200, response.text
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def choices(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice for event in events for choice in event["choices"]]
