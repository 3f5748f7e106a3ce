"""The request path of messages that are passed on in Anthropic's form: another wire, the same books."""

import asyncio
import json

import msgspec
import pytest
from tests.engines.test_message_reader import delta, recorded, says, started
from tests.fakes.engine_scripts import refuses, serves, stalls
from tests.fakes.fake_engine import FakeExchange, Script
from tests.serving.house import HELLO, PLAIN, House, asked

from servery.core.anthropic_form import AnthropicForm
from servery.core.errors import EngineAborted, EngineBroke, InvalidRequest, ServeryError
from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Outcome
from servery.core.usage import Usage
from servery.core.value import changed

MESSAGES = "/v1/messages"
PASSED = Generation(
    messages=HELLO.messages, max_tokens=5, anthropic=AnthropicForm(messages=msgspec.Raw(b'[{"role":"user"}]'))
)
USAGE = {"input_tokens": 2, "output_tokens": 2, "cache_creation_input_tokens": 6, "cache_read_input_tokens": 4}


def request(work: Generation = PASSED, *, stream: bool = True) -> InferenceRequest:
    return asked(PLAIN, work, stream=stream)


def speaks_both(passed: Script, translated: Script) -> Script:
    async def script(exchange: FakeExchange) -> None:
        await (passed if exchange.path == MESSAGES else translated)(exchange)

    return script


@pytest.mark.parametrize("stream", [True, False])
async def test_the_charge_is_the_same_whichever_way(house: House, stream: bool) -> None:
    """Prompt, cached and generated tokens, and what they cost; what was written to a cache is of the prompt."""

    async def whole(exchange: FakeExchange) -> None:
        message = {"type": "message", "content": [], "usage": USAGE, "stop_reason": "end_turn"}
        exchange.whole(200, json.dumps(message).encode())

    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE}
    events = says(started(input_tokens=12), delta("I"), delta(" am"), end, {"type": "message_stop"})
    house.first.always = speaks_both(events if stream else whole, serves(prompt=12, cached=4))
    await house.serve(request(stream=stream))
    await house.serve(request(changed(PASSED, anthropic=None), stream=stream))
    assert [exchange.path for exchange in house.first.asked] == [MESSAGES, "/v1/chat/completions"]
    (passed, charge), (translated, other) = house.ended.all()
    assert passed.usage == translated.usage == Usage(12, 4, 2)
    assert charge == other


async def test_another_account_has_another_salt(house: House) -> None:
    """In this form too."""
    house.first.always = recorded("vllm.sse")
    await house.serve(request())
    assert len(house.first.asked[0].json["cache_salt"]) == 32


async def test_what_the_form_does_not_tell_is_asked_in_the_other(house: House) -> None:
    """vLLM hides why it will not serve a stream; in OpenAI's form it says so, and the client is told."""
    house.first.always = speaks_both(recorded("vllm_error.sse"), refuses(400, "unsupported type banana"))
    with pytest.raises(ServeryError) as refusal:
        await house.serve(request())
    assert isinstance(refusal.value, InvalidRequest)
    assert refusal.value.message == "unsupported type banana"
    assert house.ended.records == []


async def test_an_engine_that_cannot_take_it_serves_in_the_other_form(house: House) -> None:
    """An older one, without that endpoint; its fault is counted."""
    house.first.always = speaks_both(refuses(404, "Not Found"), serves())
    reply = await house.serve(request())
    assert reply.served is not None
    assert house.ended.records[0].usage == Usage(12, 0, 2)
    (replica,) = house.pools["solo"].replicas
    assert replica.faults == {"ENGINE_UNAVAILABLE": 1, "ENGINE_TIMEOUT": 0, "ENGINE_BROKE": 0, "ENGINE_ABORTED": 0}


@pytest.mark.parametrize("stream", [True, False])
async def test_an_engine_that_answers_in_another_form_is_asked_in_that(house: House, stream: bool) -> None:
    """Its answer is not read for what it is not: a message without tokens would be free."""
    reply = await house.serve(request(stream=stream))
    assert reply.served is not None
    assert house.ended.records[0].usage == Usage(12, 0, 2)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_without_a_reason_for_its_end_is_none(house: House, stream: bool) -> None:
    """As vLLM tells of one that it gave up. Both ways of asking are tried; of a stream, what was delivered is owed."""

    async def whole(exchange: FakeExchange) -> None:
        message = {"type": "message", "content": [{"type": "text", "text": "I"}], "usage": USAGE, "stop_reason": None}
        exchange.whole(200, json.dumps(message).encode())

    end = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": USAGE}
    events = says(started(input_tokens=12), delta("I"), delta(" am"), end, {"type": "message_stop"})
    house.first.always = speaks_both(events if stream else whole, refuses(500, "paused"))
    with pytest.raises(EngineAborted if stream else ServeryError):
        await house.serve(request(stream=stream))
    assert [(one.outcome, one.usage) for one in house.ended.records] == (
        [(Outcome.ENGINE_BROKE, Usage(12, 4, 2))] if stream else []
    )
    (replica,) = house.pools["solo"].replicas
    assert replica.faults["ENGINE_ABORTED"] >= 1


async def test_a_stream_that_breaks_is_charged_as_delivered(house: House) -> None:
    """By the prompt that the engine told and the deltas that passed."""
    unread = {"type": "message_delta", "usage": "none"}
    house.first.always = says(started(input_tokens=9), delta("I"), delta(" am"), unread, then=stalls)
    with pytest.raises(EngineBroke, match="not understood"):
        await house.serve(request())
    (record,) = house.ended.records
    assert (record.outcome, record.usage) == (Outcome.ENGINE_BROKE, Usage(9, 0, 2, 0, estimated=True))
    (replica,) = house.pools["solo"].replicas
    assert replica.faults["ENGINE_BROKE"] == 1


async def test_a_message_that_never_ends_breaks_off(house: House) -> None:
    """A little beyond what was asked for; no more than that is charged."""

    async def goes_on(exchange: FakeExchange) -> None:
        while not exchange.client_left.is_set():
            exchange.event(json.dumps(delta("x")).encode())
            await asyncio.sleep(0)

    house.first.always = says(started(input_tokens=12), then=goes_on)
    async with asyncio.timeout(60):
        with pytest.raises(EngineBroke, match="longer than it was asked"):
            await house.serve(request())
        await house.first.wait_connections(0)
    (record,) = house.ended.records
    assert (record.outcome, record.usage.generated_tokens) == (Outcome.ENGINE_BROKE, 5)
