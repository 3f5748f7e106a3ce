"""The clients that people use, against this dialect: their own requests are parsed, and they read the answers."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import openai
import pytest
from fireworks import Fireworks
from openai import OpenAI
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from tests.web_dialects.parsers import parse_chat, parse_completions, parse_embeddings
from tests.web_dialects.shown import frame_of, whole_of

from servery.core.errors import EngineBroke, ServeryError
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.openai.errors import error_body

REQUEST_ID = "chatcmpl-" + "ab" * 16
MODEL = "accounts/servery/models/demo"
PARSERS = {"chat/completions": parse_chat, "completions": parse_completions, "embeddings": parse_embeddings}
MESSAGES: Any = [{"role": "user", "content": "Who are you?"}]
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


class Platform:
    """Answers a client's requests in memory: parsed and presented for real, with an engine's recorded words."""

    def __init__(self, served: Served, *, stream: list[bytes], whole: bytes, breaks: bool = False) -> None:
        self._served = served
        self._stream = stream
        self._whole = whole
        self._breaks = breaks
        self.bodies: list[Any] = []

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Status, content type, body."""
        self.bodies.append(json.loads(body))
        parse = PARSERS[path.partition("/v1/")[2]]
        try:
            call = parse(body, headers, REQUEST_ID)
        except ServeryError as error:
            return error.status, "application/json", error_body(error, REQUEST_ID)
        call.presenter.admitted(ServingPath.STANDARD)
        if not call.request.stream:
            answers = [self._whole] * len(call.request.work)
            return 200, "application/json", whole_of(call.presenter, answers, self._served)
        frames = [
            frame_of(call.presenter, branch, event)
            for event in self._stream
            for branch in range(len(call.request.work))
        ]
        end = (
            call.presenter.error_frame(EngineBroke("the engine broke"))
            if self._breaks
            else call.presenter.stream_end(self._served)
        )
        return 200, "text/event-stream", b"".join(frames) + end

    def openai(self) -> OpenAI:
        def handle(request: httpx2.Request) -> httpx2.Response:
            status, kind, body = self.answer(request.url.path, request.content, dict(request.headers))
            return httpx2.Response(status, content=body, headers={"content-type": kind})

        transport = httpx2.MockTransport(handle)
        return OpenAI(
            api_key="fw_x",
            base_url="http://platform/inference/v1",
            http_client=httpx2.Client(transport=transport),
            max_retries=0,
        )

    def fireworks(self) -> Fireworks:
        def handle(request: httpx.Request) -> httpx.Response:
            status, kind, body = self.answer(request.url.path, request.content, dict(request.headers))
            return httpx.Response(status, content=body, headers={"content-type": kind})

        transport = httpx.MockTransport(handle)
        return Fireworks(
            api_key="fw_x",
            base_url="http://platform",
            http_client=httpx.Client(transport=transport),
            max_retries=0,
            _strict_response_validation=True,
        )


Events = Callable[[str], list[bytes]]
Whole = Callable[[str], bytes]


@pytest.fixture
def chat(events: Events, whole: Whole, served: Served) -> Platform:
    return Platform(served, stream=events("chat.sse"), whole=whole("chat_logprobs.json"))


@pytest.fixture
def tools(events: Events, whole: Whole, served: Served) -> Platform:
    return Platform(served, stream=events("tools.sse"), whole=whole("tools.json"))


@pytest.fixture
def completion(events: Events, whole: Whole, served: Served) -> Platform:
    return Platform(served, stream=events("completion.sse"), whole=whole("completion_logprobs.json"))


def test_openai_chat(chat: Platform) -> None:
    """A whole answer, and the same in a stream, validate by the client's own types."""
    with chat.openai() as client:
        answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, n=2, seed=1, logprobs=True)
        ChatCompletion.model_validate(answer.to_dict())
        assert [choice.message.content for choice in answer.choices] == ["I am the Servery demo model"] * 2
        assert answer.choices[0].logprobs is not None
        stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, n=2)
        chunks = [ChatCompletionChunk.model_validate(chunk.to_dict()) for chunk in stream]
    for index in range(2):
        told = [c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == index]
        assert "".join(told) == "I am the Servery demo model"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens_details is not None
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 20
    assert chunks[-1].service_tier == "default"


def test_openai_stream_helper(tools: Platform) -> None:
    """The client that puts fragments together gets the whole call, and what it keeps can be sent back."""
    with tools.openai() as client:
        with client.chat.completions.stream(model=MODEL, messages=MESSAGES, tools=[TOOL]) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.arguments == '{"city": "Munich"}'
        result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "4"}
        for sent_back in (message, message.model_dump()):
            talk: Any = [*MESSAGES, sent_back, result]
            client.chat.completions.create(model=MODEL, messages=talk, tools=[TOOL])


class City(BaseModel):
    city: str


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the client writes what it does not foresee
def test_what_openais_client_has_parsed_can_be_sent_back(tools: Platform, served: Served) -> None:
    """The helper's message holds the content, and each call's arguments, a second time, as its own objects. The model
    is told them once."""
    message = {"role": "assistant", "content": '{"city":"Oslo"}'}
    whole = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    texts = Platform(served, stream=[], whole=whole)
    tool = openai.pydantic_function_tool(City, name="get_weather")
    formats: list[tuple[Platform, Any]] = [(texts, {"response_format": City}), (tools, {"tools": [tool]})]
    for platform, asked in formats:
        with platform.openai() as client:
            parsed = client.chat.completions.parse(model=MODEL, messages=MESSAGES, **asked).choices[0].message
            results = [{"role": "tool", "tool_call_id": call.id, "content": "4"} for call in parsed.tool_calls or ()]
            talk: Any = [*MESSAGES, parsed, *results, *MESSAGES]
            client.chat.completions.parse(model=MODEL, messages=talk, **asked)
        sent = json.dumps(platform.bodies[-1])
        assert '"parsed' in sent
        told = parse_chat(sent.encode(), {}, REQUEST_ID).request.work[0].messages
        assert told is not None
        assert b"parsed" not in told


def test_what_litellm_has_noted_can_be_sent_back() -> None:
    """It keeps a field of its own in messages, calls and functions, and leaves it there for what speaks OpenAI's form;
    the model is told the same as without."""
    noted: Any = {"provider_specific_fields": {"refusal": None}}
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "a", "type": "function", "function": function}
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    echoed = answer | noted | {"tool_calls": [call | noted | {"function": function | noted}]}
    result = {"role": "tool", "tool_call_id": "a", "content": "4"}
    bodies = [json.dumps({"model": "m", "messages": [*MESSAGES, said, result]}).encode() for said in (answer, echoed)]
    plain, kept = (parse_chat(body, {}, REQUEST_ID).request.work[0].messages for body in bodies)
    assert kept == plain


def test_openai_completions_and_embeddings(completion: Platform, served: Served) -> None:
    """Completions validate by the client's types; embeddings are asked for in base64 by default, and read."""
    with completion.openai() as client:
        answer = client.completions.create(model=MODEL, prompt="The capital of", logprobs=2)
        Completion.model_validate(answer.to_dict())
        assert answer.choices[0].logprobs is not None
        assert answer.choices[0].logprobs.text_offset == [0, 4, 7, 9]
        pieces = [c.choices for c in client.completions.create(model=MODEL, prompt="The capital of", stream=True)]
        assert "".join(choice.text for choices in pieces for choice in choices) == " the is Vatic"
    vectors = Platform(served, stream=[], whole=b'{"data":[{"embedding":[0.5,-2.0],"index":0}]}')
    with vectors.openai() as client:
        assert client.embeddings.create(model=MODEL, input="hi").data[0].embedding == [0.5, -2.0]
    assert vectors.bodies[0]["encoding_format"] == "base64"


def test_openai_sees_refusals_and_broken_streams(events: Events, whole: Whole, served: Served, chat: Platform) -> None:
    """A 400 names its field; an error inside a stream raises instead of ending it."""
    with chat.openai() as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=5)
    assert refused.value.param == "temperature"
    assert refused.value.code == "invalid_request_error"
    broken = Platform(served, stream=events("chat.sse"), whole=b"", breaks=True)
    with broken.openai() as client:
        stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="the engine broke"):
            list(stream)


def test_fireworks_client(chat: Platform, completion: Platform) -> None:
    """The published client, told to validate strictly, reads whole answers and chunks."""
    with chat.fireworks() as client:
        answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, perf_metrics_in_response=True)
        assert answer.choices[0].message.content == "I am the Servery demo model"
        assert answer.perf_metrics is not None
        assert answer.perf_metrics["cached-prompt-tokens"] == 20
        chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, logprobs=1))
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.prompt_tokens == 21
    with completion.fireworks() as client:
        assert client.completions.create(model=MODEL, prompt="The capital of").choices[0].text == " the is Vatic"


@pytest.mark.parametrize(
    ("create", "parse", "least"),
    [
        (openai.resources.chat.Completions.create, parse_chat, {"model": "m", "messages": MESSAGES}),
        (openai.resources.Completions.create, parse_completions, {"model": "m", "prompt": "x"}),
        (openai.resources.Embeddings.create, parse_embeddings, {"model": "m", "input": "x"}),
        (Fireworks(api_key="x").chat.completions.create, parse_chat, {"model": "m", "messages": MESSAGES}),
        (Fireworks(api_key="x").completions.create, parse_completions, {"model": "m", "prompt": "x"}),
    ],
)
def test_every_argument_of_the_clients_is_known(create: Any, parse: Any, least: dict[str, Any]) -> None:
    """No argument that a client's own signature has is unknown here: each is honoured, or refused as not supported;
    null, which some programs send for what they leave out, is taken for all."""
    own = {"self", "extra_headers", "extra_query", "extra_body", "timeout", *least}
    arguments = set(inspect.signature(create).parameters) - own
    assert arguments
    for name in arguments:
        parse(json.dumps({**least, name: None}).encode(), {}, REQUEST_ID)
