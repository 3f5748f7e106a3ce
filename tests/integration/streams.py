"""Reading streams as a client does, and telling how each ended."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import httpx


class End(Enum):
    """How a stream ended, as its client saw it."""

    COMPLETE = auto()
    ERROR_FRAME = auto()
    REFUSED = auto()
    CUT = auto()


@dataclass
class Seen:
    """All that a client saw of one stream."""

    end: End = End.CUT
    status: int = 0
    request_id: str = ""
    text: str = ""
    usage: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def read_stream(client: httpx.Client, body: dict[str, Any], *, on_text: Callable[[], None] = lambda: None) -> Seen:
    """Send ``body`` with ``stream`` and read to whatever end there is; ``on_text`` is called at each piece of text."""
    seen = Seen()
    try:
        with client.stream("POST", "/chat/completions", json={**body, "stream": True}) as response:
            seen.status = response.status_code
            seen.headers = dict(response.headers)
            seen.request_id = response.headers.get("x-request-id", "")
            if response.status_code != 200:
                seen.end = End.REFUSED
                return seen
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    seen.end = End.COMPLETE
                elif line.startswith("data: "):
                    _take(seen, json.loads(line[6:]), on_text)
    except httpx.TransportError:
        seen.end = End.CUT
    return seen


def _take(seen: Seen, event: dict[str, Any], on_text: Callable[[], None]) -> None:
    if "error" in event:
        seen.end = End.ERROR_FRAME
        return
    seen.usage = event.get("usage") or seen.usage
    for choice in event["choices"]:
        if text := choice["delta"].get("content"):
            seen.text += text
            on_text()


def read_many(client: httpx.Client, bodies: list[dict[str, Any]], *, when_all_began: Callable[[], None]) -> list[Seen]:
    """Read all streams side by side; ``when_all_began`` is called once, when each has sent text or ended."""
    began = threading.Barrier(len(bodies) + 1, timeout=180)

    def read(body: dict[str, Any]) -> Seen:
        waited: list[bool] = []

        def wait_for_all() -> None:
            if not waited:
                waited.append(True)
                began.wait()

        try:
            return read_stream(client, body, on_text=wait_for_all)
        finally:
            wait_for_all()

    with ThreadPoolExecutor(len(bodies)) as readers:
        results = [readers.submit(read, body) for body in bodies]
        began.wait()
        when_all_began()
        return [result.result() for result in results]
