"""What a llama.cpp server sent, recorded, and the end of a request."""

from collections.abc import Callable

import msgspec
import pytest

from servery.core.inference import EngineReport
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.serving.served import Served

RECORDED = "recorded"


@pytest.fixture
def events(request: pytest.FixtureRequest) -> Callable[[str], list[bytes]]:
    """The events of a recorded stream as a presenter gets them: without usage, and without the terminator."""

    def read(name: str) -> list[bytes]:
        lines = (request.path.parent / RECORDED / name).read_bytes().splitlines()
        data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
        return [_without_usage(event) for event in data if event != b"[DONE]"]

    return read


def _without_usage(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    read = msgspec.json.decode(event)
    read.pop("usage", None)  # of Anthropic's first event it stands deeper, and stays
    return msgspec.json.encode(read)


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    """A recorded answer that is not a stream."""
    return lambda name: (request.path.parent / RECORDED / name).read_bytes()


@pytest.fixture
def served() -> Served:
    return Served(
        request_id="chatcmpl-" + "ab" * 16,
        model="accounts/servery/models/demo",
        path=ServingPath.STANDARD,
        usage=Usage(prompt_tokens=21, cached_prompt_tokens=20, generated_tokens=6, reasoning_tokens=2),
        report=EngineReport(
            replica="demo-0", queue_wait_s=0.001, time_to_first_token_s=0.0123456789, processing_time_s=0.5
        ),
    )
