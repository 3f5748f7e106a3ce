"""An engine that speaks Anthropic's form is asked in it, and read. What it says is as a vLLM 0.32 said it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.engines.asking import Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import dies, stalls
from tests.fakes.fake_engine import FakeEngine, FakeExchange, Script

from servery.core.anthropic_form import AnthropicForm
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineBroke, EngineUnavailable, InvalidRequest
from servery.core.inference import Generation
from servery.core.sampling import Sampling
from servery.core.serving_path import ServingClass
from servery.core.usage import Usage
from servery.core.value import changed
from servery.engines.body import form_to_pass
from servery.engines.family import traits_of

RECORDED = Path(__file__).parents[1] / "web_dialects" / "anthropic" / "recorded"
VLLM = traits_of(EngineFamily.VLLM)
HI = b'[{"role":"user","content":"hi"}]'
FORM = AnthropicForm(messages=msgspec.Raw(HI), system=msgspec.Raw(b'"be brief"'))
WORK = Generation(messages=HI, max_tokens=5, anthropic=FORM)


def recorded(name: str, *, piece_bytes: int = 4_096, then: Script | None = None) -> Script:
    """A recorded stream, in pieces; then its end, or ``then``."""
    body = (RECORDED / name).read_bytes()

    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        for start in range(0, len(body), piece_bytes):
            exchange.piece(body[start : start + piece_bytes])
        if then is None:
            exchange.end_body()
        else:
            await then(exchange)

    return script


def says(*events: dict[str, Any], then: Script | None = None) -> Script:
    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        for event in events:
            exchange.piece(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()))
        if then is None:
            exchange.end_body()
        else:
            await then(exchange)

    return script


def started(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "engines", "model": "engines", "usage": usage}}


def delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def kinds(asking: Asking) -> list[str]:
    return [json.loads(event)["type"] for event in asking.events]


async def test_the_clients_own_form_is_what_is_sent(engine: FakeEngine, new_client: NewClient) -> None:
    """Under the engine's name for the model, as long as was fitted; the rest as the client wrote it."""
    engine.always = recorded("vllm.sse")
    work = changed(WORK, stop=("END",), sampling=Sampling(temperature=0.5), template_options=msgspec.Raw(b'{"a":1}'))
    await Asking(new_client(EngineFamily.VLLM), work=work).answer()
    assert engine.asked[0].path == "/v1/messages"
    assert engine.asked[0].json == {
        "model": "fake",
        "stream": True,
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hi"}],
        "system": "be brief",
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "chat_template_kwargs": {"a": 1},
    }


@pytest.mark.parametrize("family", [EngineFamily.LLAMA_CPP, EngineFamily.SGLANG, EngineFamily.OPENAI])
async def test_other_engines_are_asked_in_openais_form(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily
) -> None:
    """They do not speak it, or lose there what keeps tenants apart."""
    await Asking(new_client(family), work=WORK).answer()
    assert engine.asked[0].path == "/v1/chat/completions"


def test_what_the_form_has_no_place_for_is_not_passed() -> None:
    """A priority, the catalog's sampling; nor is a whole answer with tools, nor what had no such form."""
    with_tools = changed(WORK, tools=msgspec.Raw(b"[]"))
    sampled = changed(WORK, sampling=Sampling(top_k=3, min_p=0.1))
    assert form_to_pass(WORK, traits=VLLM, stream=False) is WORK.anthropic
    assert form_to_pass(WORK, traits=VLLM, stream=True, serving_class=ServingClass.PRIORITY) is None
    assert form_to_pass(sampled, traits=VLLM, stream=True) is None
    assert form_to_pass(with_tools, traits=VLLM, stream=True) is WORK.anthropic
    assert form_to_pass(with_tools, traits=VLLM, stream=False) is None
    assert form_to_pass(Generation(messages=HI), traits=VLLM, stream=True) is None


@pytest.mark.parametrize("piece_bytes", [1, 7, 4_096])
async def test_a_stream_with_its_usage(engine: FakeEngine, new_client: NewClient, piece_bytes: int) -> None:
    """However it is cut: each event but the last goes on; the prompt counts with what was cached of it."""
    engine.always = recorded("vllm.sse", piece_bytes=piece_bytes)
    asking = Asking(new_client(EngineFamily.VLLM), work=WORK)
    assert await asking.answer() == b""
    blocks = ["content_block_start", *["content_block_delta"] * 5, "content_block_stop"]
    assert kinds(asking) == ["message_start", *blocks, "message_delta"]
    assert asking.tally.usage() == Usage(157, 128, 5)
    assert asking.tally.frames == 5


async def test_nothing_after_the_stop_is_waited_for(engine: FakeEngine, new_client: NewClient) -> None:
    """It is the end, as ``[DONE]`` is in OpenAI's form."""
    engine.always = recorded("vllm.sse", then=stalls)
    async with asyncio.timeout(60):
        assert await Asking(new_client(EngineFamily.VLLM), work=WORK).answer() == b""


async def test_what_was_written_to_the_cache_is_of_the_prompt(engine: FakeEngine, new_client: NewClient) -> None:
    """And was not cached before."""
    body = {
        "type": "message",
        "content": [],
        "usage": {"input_tokens": 29, "output_tokens": 5},
        "stop_reason": "end_turn",
    }
    body["usage"] |= {"cache_creation_input_tokens": 96, "cache_read_input_tokens": 32}  # type: ignore[operator]

    async def whole(exchange: FakeExchange) -> None:
        exchange.whole(200, json.dumps(body).encode())

    engine.always = whole
    asking = Asking(new_client(EngineFamily.VLLM), stream=False, work=WORK)
    assert json.loads(await asking.answer()) == body
    assert asking.tally.usage() == Usage(157, 32, 5)


@pytest.mark.parametrize("text", ["twelve bytes", "двенад"])
async def test_a_whole_message_without_usage_is_counted_by_its_length(
    engine: FakeEngine, new_client: NewClient, text: str
) -> None:
    """As in OpenAI's form."""

    async def untold(exchange: FakeExchange) -> None:
        message = {"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
        exchange.whole(200, json.dumps(message).encode())

    engine.always = untold
    asking = Asking(new_client(EngineFamily.VLLM), stream=False, work=WORK)
    await asking.answer()
    assert asking.tally.usage() == Usage(7, 0, 3, 0, estimated=True)


async def test_a_stream_that_is_cut_is_charged_what_passed(engine: FakeEngine, new_client: NewClient) -> None:
    """The prompt as the engine counted it, a token for each delta but a signature; pings and news are passed over."""
    signed = {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}}
    engine.always = says(
        started(input_tokens=157, output_tokens=0),
        *(delta("a"), {"type": "ping"}, delta("b"), signed, {"type": "novelty", "text": "c"}),
        then=dies,
    )
    asking = Asking(new_client(EngineFamily.VLLM), work=WORK)
    assert isinstance(await asking.error(), EngineBroke)
    assert asking.tally.usage() == Usage(157, 0, 2, estimated=True)
    assert asking.tally.prompt is None, "it is not known how much was cached"
    assert "ping" not in kinds(asking)
    assert "novelty" not in kinds(asking)


async def test_a_prompt_that_is_told_whole_is_known_at_once(engine: FakeEngine, new_client: NewClient) -> None:
    """From an engine that says at the start how much of it was cached."""
    engine.always = says(started(input_tokens=20, cache_read_input_tokens=30), delta("a"), then=dies)
    asking = Asking(new_client(EngineFamily.VLLM), work=WORK)
    await asking.error()
    assert asking.tally.prompt == (50, 30)


async def test_a_stream_without_its_stop_broke(engine: FakeEngine, new_client: NewClient) -> None:
    """Unless it had told its usage: then all is there."""
    engine.always = says(started(input_tokens=3), delta("a"))
    assert isinstance(await Asking(new_client(EngineFamily.VLLM), work=WORK).error(), EngineBroke)
    usage = {"input_tokens": 3, "output_tokens": 1}
    engine.always = says(started(input_tokens=3), delta("a"), {"type": "message_delta", "delta": {}, "usage": usage})
    assert await Asking(new_client(EngineFamily.VLLM), work=WORK).answer() == b""


async def test_an_error_event_breaks_the_stream_without_the_engines_words(
    engine: FakeEngine, new_client: NewClient
) -> None:
    """They are of vLLM's own making: what was wrong, it does not say in this form."""
    engine.always = recorded("vllm_error.sse")
    error = await Asking(new_client(EngineFamily.VLLM), work=WORK).error()
    assert isinstance(error, EngineBroke)
    assert error.message == "the engine broke off the answer"


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"type":7}', b'{"no":"type"}', b"nonsense", b"\xff", b"[" * 9_000])
async def test_an_event_that_is_none_breaks_the_stream(engine: FakeEngine, new_client: NewClient, data: bytes) -> None:
    """And the connection is closed."""

    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        exchange.piece(b"event: message_start\ndata: " + data + b"\n\n")
        await exchange.client_left.wait()

    engine.always = script
    assert isinstance(await Asking(new_client(EngineFamily.VLLM), work=WORK).error(), EngineBroke)
    await engine.wait_connections(0)


async def test_refusals_are_as_in_openais_form(engine: FakeEngine, new_client: NewClient) -> None:
    """The engine's words about the request; a whole answer that is no JSON is none."""
    told = {"type": "error", "error": {"type": "BadRequestError", "message": "fake is not a multimodal model"}}

    async def refuses(exchange: FakeExchange) -> None:
        exchange.whole(400, json.dumps(told).encode())

    async def nonsense(exchange: FakeExchange) -> None:
        exchange.whole(200, b"<html>")

    engine.always = refuses
    for stream in (False, True):
        error = await Asking(new_client(EngineFamily.VLLM), stream=stream, work=WORK).error()
        assert isinstance(error, InvalidRequest)
        assert error.message == "the model is not a multimodal model"
    engine.always = nonsense
    assert isinstance(await Asking(new_client(EngineFamily.VLLM), stream=False, work=WORK).error(), EngineUnavailable)
