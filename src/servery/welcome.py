"""What the operator reads once the platform is up: where it is, a key, and lines to paste."""

import json

from servery.catalog.catalog import Catalog
from servery.catalog.offer import Offer
from servery.core.serving_path import Endpoint, ServingPath


def welcome(*, base_url: str, key: str, catalog: Catalog, offers: list[Offer]) -> str:
    """``offers`` are those of today. A curl line stands for each serving path that has a chat model."""
    chat = [offer for offer in offers if offer.model.answers(Endpoint.CHAT)]
    standard = next((offer.name for offer in chat if offer.path is ServingPath.STANDARD), None)
    priority = next((offer.name for offer in chat if catalog.has_priority(offer.name)), None)
    fast = next((offer.name for offer in chat if offer.path is ServingPath.FAST), None)
    hello: dict[str, object] = {"messages": [{"role": "user", "content": "Who are you?"}]}
    parts = [f"Base URL   {base_url}/inference/v1   (OpenAI; Anthropic: {base_url}/inference)", f"API key    {key}"]
    if standard:
        parts.append(_curl("Standard", base_url, key, "/chat/completions", {"model": standard, **hello}))
    if priority:
        body: dict[str, object] = {"model": priority, "service_tier": "priority", **hello}
        parts.append(_curl("Priority", base_url, key, "/chat/completions", body))
    if fast:
        body = {"model": fast, "stream": True, **hello}
        parts.append(_curl("Fast, streamed", base_url, key, "/chat/completions", body))
    if standard:
        body = {"model": standard, "max_tokens": 256, **hello}
        parts.append(_curl("Anthropic messages", base_url, key, "/messages", body))
    return "\n".join(parts)


def _curl(title: str, base_url: str, key: str, path: str, body: dict[str, object]) -> str:
    silent = "-sN" if body.get("stream") else "-s"
    return (
        f"\n{title}:\n"
        f"curl {silent} {base_url}/inference/v1{path} -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    )
