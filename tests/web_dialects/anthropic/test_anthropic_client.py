"""Anthropic's own client against this dialect: its requests are parsed, and it reads the answers."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter
from tests.web_dialects.parsers import parse_messages
from tests.web_dialects.shown import frame_of, whole_of

from servery.core.errors import EngineBroke, NotFound, ServeryError
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.anthropic.errors import error_body

REQUEST_ID = "chatcmpl-" + "ab" * 16
HI: Any = [{"role": "user", "content": "Who are you?"}]
TOOL: Any = {"name": "get_weather", "input_schema": {"type": "object"}}
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
Events = Callable[[str], list[bytes]]
Whole = Callable[[str], bytes]


def client(served: Served, *, stream: list[bytes], whole: bytes = b"", breaks: bool = False) -> Anthropic:
    """Answered in memory: parsed and presented for real, with an engine's recorded words."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        try:
            call = parse_messages(request.content, dict(request.headers), REQUEST_ID)
            if call.request.model == "missing":
                raise NotFound("Model not found, inaccessible, and/or not deployed")
        except ServeryError as error:
            return httpx2.Response(error.status, content=error_body(error, REQUEST_ID))
        shown = call.presenter
        shown.admitted(ServingPath.STANDARD)
        if not call.request.stream:
            headers = {"content-type": "application/json"}
            return httpx2.Response(200, content=whole_of(shown, [whole], served), headers=headers)
        frames = b"".join(frame_of(shown, 0, event) for event in stream)
        end = shown.error_frame(EngineBroke("the engine broke")) if breaks else shown.stream_end(served)
        return httpx2.Response(200, content=frames + end, headers={"content-type": "text/event-stream"})

    return Anthropic(
        api_key="fw_x",
        base_url="http://platform/inference",
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        max_retries=0,
    )


def test_a_stream_of_text(events: Events, served: Served) -> None:
    """The client's accumulator builds the message from the events, usage and all."""
    with client(served, stream=events("chat.sse")) as asked:
        with asked.messages.stream(model="m", max_tokens=10, messages=HI) as stream:
            assert "".join(stream.text_stream) == "I am the Servery demo model"
            message = stream.get_final_message()
        assert (message.id, message.stop_reason) == ("msg_" + "ab" * 16, "max_tokens")
        told = message.usage
        assert (told.input_tokens, told.cache_read_input_tokens, told.output_tokens) == (1, 20, 6)
        assert told.service_tier == "standard"
        for event in asked.messages.create(model="m", max_tokens=10, messages=HI, stream=True):
            EVENT.validate_python(event.to_dict())


def test_a_tool_call_there_and_back(events: Events, whole: Whole, served: Served) -> None:
    """Streamed or whole, the input is read; the client's own copy of the answer can be sent back."""
    with client(served, stream=events("tools.sse"), whole=whole("tools.json")) as asked:
        with asked.messages.stream(model="m", max_tokens=10, messages=HI, tools=[TOOL]) as stream:
            (use,) = stream.get_final_message().content
        assert use.type == "tool_use"
        assert use.input == {"city": "Munich"}
        message = asked.messages.create(model="m", max_tokens=10, messages=HI, tools=[TOOL])
        Message.model_validate(message.to_dict())
        result: Any = {"type": "tool_result", "tool_use_id": message.content[0].id, "content": "4"}
        back: Any = [*HI, message.to_param(), {"role": "user", "content": [result]}]
        asked.messages.create(model="m", max_tokens=10, messages=back, tools=[TOOL])


def test_refusals_raise_what_the_client_expects(events: Events, served: Served) -> None:
    """Statuses become the client's exceptions, and an error inside a stream raises too."""
    with client(served, stream=events("chat.sse"), breaks=True) as asked:
        with pytest.raises(anthropic.NotFoundError) as missing:
            asked.messages.create(model="missing", max_tokens=10, messages=HI)
        assert missing.value.type == "not_found_error"
        with pytest.raises(anthropic.BadRequestError, match="max_tokens: must be > 0"):
            asked.messages.create(model="m", max_tokens=0, messages=HI)
        with pytest.raises(anthropic.APIStatusError, match="the engine broke"):
            list(asked.messages.create(model="m", max_tokens=10, messages=HI, stream=True))


@pytest.mark.parametrize("create", [anthropic.resources.Messages.create, anthropic.resources.beta.Messages.create])
def test_the_clients_ordinary_arguments_are_known(create: Any) -> None:
    """No argument of the client is unknown; null, for what a program leaves out, is taken."""
    elsewhere = {"self", "extra_headers", "extra_query", "extra_body", "timeout", "user_profile_id", "workspace_id"}
    arguments = set(inspect.signature(create).parameters) - elsewhere - {"betas"}
    for name in arguments - {"model", "messages"}:
        parse_messages(json.dumps({"model": "m", "messages": HI, name: None}).encode(), {}, REQUEST_ID)


def test_a_client_that_wants_its_conversation_kept_goes_on_without(
    whole: Whole, events: Events, served: Served
) -> None:
    """Running tools, it asks for that by itself; it understands the refusal, and sends all of the talk each time."""
    called: list[str] = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Get the weather in a city"""
        called.append(city)
        return "7 degrees"

    with client(served, stream=events("chat.sse"), whole=whole("tools.json")) as asked:
        runner = asked.beta.messages.tool_runner(
            model="m", max_tokens=10, messages=HI, tools=[get_weather], max_iterations=2
        )
        assert [[block.type for block in message.content] for message in runner] == [["tool_use"], ["tool_use"]]
    assert called
