"""What an engine's nonsense costs: nothing where nothing was passed on, else what was. The books are examined after."""

import asyncio
import json

import pytest
from tests.engines.test_malformed import chunked, counted
from tests.fakes.engine_scripts import OPENING, answer_of, chunk, progress, serves, token, usage_chunk, usage_of
from tests.fakes.fake_engine import FakeExchange, Script
from tests.serving.house import CHAT, HELLO, House, asked

from servery.core.errors import EngineAborted, EngineBroke, EngineTimeout, EngineUnavailable, ServeryError
from servery.core.serving_path import Outcome
from servery.core.usage import Usage
from servery.core.value import changed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = (EngineUnavailable, EngineBroke, EngineTimeout)


def answers_with(response: bytes) -> Script:
    """These bytes, and the end of the connection."""

    async def script(exchange: FakeExchange) -> None:
        exchange.raw(response)
        exchange.close()

    return script


def framed(*events: bytes) -> list[bytes]:
    return [b"data: %b\n\n" % event for event in events]


BEFORE = {
    "nothing": b"",
    "nul": b"\x00" * 9,
    "another protocol": b"SSH-2.0-x\r\n",
    "only 1xx": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "a head over its limit": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length that is longer": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
    "no size of a chunk": HEAD + b"xyz\r\n",
    "an event that is no JSON": chunked(b'data: {"usage":{\n\n'),
    "an event too deep": chunked(b'data: {"usage":{"x":' + b"[" * 3_000 + b"\n\n"),
    "an event too large": HEAD + b"500000\r\ndata: " + b"x" * 0x500000,
    "an end at once": HEAD + b"0\r\n\r\n",
}
AFTER = {
    "a cut chunk": b"ff\r\ndata: {",
    "a chunk longer than its size": b"1\r\nxyz\r\n",
    "an event that is no JSON": b'e\r\ndata: {"usage"\r\n',
    "an early end": b"0\r\n\r\n",
    "another response": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


async def refusal(house: House, *, stream: bool) -> ServeryError:
    with pytest.raises(ServeryError) as refused:
        await house.serve(asked(CHAT, stream=stream))
    return refused.value


@pytest.mark.parametrize("response", BEFORE.values(), ids=BEFORE.keys())
@pytest.mark.parametrize("stream", [True, False])
async def test_nonsense_before_the_first_token_costs_nothing(house: House, response: bytes, stream: bool) -> None:
    """It is tried elsewhere, and refused with 502 where that is no better. Each time counts against its replica."""
    house.first.always = house.second.always = answers_with(response)
    assert isinstance(await refusal(house, stream=stream), FAULTS)
    assert house.ended.records == []
    faults = [replica.faults for replica in house.pools["pair"].replicas]
    assert [sum(each.values()) for each in faults] == [1, 1]
    for engine in (house.first, house.second):
        await engine.wait_connections(0)


@pytest.mark.parametrize("response", AFTER.values(), ids=AFTER.keys())
async def test_nonsense_after_the_first_token_is_charged_as_delivered(house: House, response: bytes) -> None:
    """The stream ends with an error, once, and is not tried elsewhere."""
    said = framed(progress(12, cached=4), OPENING, token("I"), token(" am"))
    house.first.always = house.second.always = answers_with(chunked(*said).removesuffix(b"0\r\n\r\n") + response)
    assert isinstance(await refusal(house, stream=True), EngineBroke | EngineUnavailable)
    (record,) = house.ended.records
    assert (record.outcome, record.usage) == (Outcome.ENGINE_BROKE, Usage(12, 4, 2, 0, estimated=True))
    assert len(house.first.asked) + len(house.second.asked) == 1


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("word", ["abort", "error"])
async def test_an_answer_that_was_given_up_is_charged_as_delivered(house: House, word: str, spaced: bool) -> None:
    """SGLang and vLLM end a stream so when they are told to drop it: no client is to take the piece for the whole."""
    given_up = chunk({}, finish=word)
    if spaced:
        given_up = given_up.replace(b":", b": ")
    said = chunked(*framed(progress(12, cached=4), OPENING, token("I"), token(" am"), given_up, b"[DONE]"))
    house.first.always = house.second.always = answers_with(said)
    assert isinstance(await refusal(house, stream=True), EngineAborted)
    (record,) = house.ended.records
    assert (record.outcome, record.usage) == (Outcome.ENGINE_BROKE, Usage(12, 4, 2, 0, estimated=True))
    faults = [replica.faults["ENGINE_ABORTED"] for replica in house.pools["pair"].replicas]
    assert sorted(faults) == [0, 1]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_given_up_before_it_began_is_tried_elsewhere(house: House, stream: bool) -> None:
    """Nothing of it was passed on, and nothing of it is charged; the client sees the other engine's answer."""
    given_up = chunk({}, finish="abort", usage=usage_of(12, 0))
    said = chunked(*framed(given_up, b"[DONE]")) if stream else counted(given_up)
    house.first.always, house.second.always = answers_with(said), serves(prompt=12)
    for _ in range(4):
        await house.serve(asked(CHAT, stream=stream))
    assert {record.outcome for record in house.ended.records} == {Outcome.COMPLETED}
    assert len(house.ended.records) == 4
    assert sum(replica.faults["ENGINE_ABORTED"] for replica in house.pools["pair"].replicas) >= 1


async def test_a_second_response_answers_nobody(house: House) -> None:
    """What follows a complete answer is not taken for the answer to the next request."""
    said = chunked(*framed(OPENING, token("I"), usage_chunk(usage_of(5, 1)), b"[DONE]"))
    forged = counted(b'{"usage":{"prompt_tokens":1,"completion_tokens":0}}')
    house.first.always = house.second.always = answers_with(said + forged)
    for _ in range(3):
        await house.serve(asked(CHAT))
    assert [record.usage for record in house.ended.records] == [Usage(5, 0, 1)] * 3


FIVE = changed(HELLO, max_tokens=5)
MOST_FRAMES = 5 + 5 // 4 + 64


def goes_on_for_ever(*events: bytes) -> Script:
    """The prompt, and then these again and again, until nobody listens."""

    async def script(exchange: FakeExchange) -> None:
        exchange.start_stream()
        exchange.event(progress(12, cached=4))
        while not exchange.client_left.is_set():
            for event in events:
                exchange.event(event)
            await asyncio.sleep(0)

    return script


@pytest.mark.parametrize("many", [1, 7])
async def test_a_stream_that_never_ends_is_ended(house: House, many: int) -> None:
    """A little beyond what was asked for, as one that an engine ends at its length; the engine is stopped, the fault
    counted, and no more is charged than was asked for."""
    house.first.always = house.second.always = goes_on_for_ever(*[token("x")] * many)
    async with asyncio.timeout(60):
        reply = await house.serve(asked(CHAT, FIVE))
        for engine in (house.first, house.second):
            await engine.wait_connections(0)
    *tokens, last = [json.loads(frame)["choices"][0] for _, frame in reply.frames]
    assert [one["delta"] for one in tokens] == [{"content": "x"}] * MOST_FRAMES
    assert (last["finish_reason"], last["delta"]) == ("length", {})
    (record,) = house.ended.records
    assert (record.outcome, record.usage) == (Outcome.COMPLETED, Usage(12, 4, 5, 0, estimated=True))
    assert sum(replica.faults["ENGINE_BROKE"] for replica in house.pools["pair"].replicas) == 1


async def test_of_several_answers_the_one_that_never_ends_is_ended(house: House) -> None:
    """The others are what they are."""
    house.first.always = house.second.always = serves(["I", " am"], prompt=12)
    house.first.scripts.append(goes_on_for_ever(token("x")))
    async with asyncio.timeout(60):
        reply = await house.serve(asked(CHAT, FIVE, FIVE, choices_per_prompt=2))
    ends = [(branch, json.loads(frame)["choices"][0]["finish_reason"]) for branch, frame in reply.frames]
    assert sorted(end for _, end in ends if end is not None) == ["length", "stop"]
    (record,) = house.ended.records
    assert record.usage.generated_tokens == 5 + 2


@pytest.mark.parametrize("reasoning", [None, 1_000])
@pytest.mark.parametrize("stream", [True, False])
async def test_no_more_is_charged_than_was_asked_for(house: House, stream: bool, reasoning: int | None) -> None:
    """Whatever the engine tells at the end; a frame may hold several tokens, so a report is believed up to there."""
    told = usage_of(12, 400, cached=4) | {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    end = framed(token("x"), chunk({}, finish="stop"), usage_chunk(told), b"[DONE]")
    said = chunked(*end) if stream else counted(answer_of("x", told))
    house.first.always = house.second.always = answers_with(said)
    await house.serve(asked(CHAT, changed(HELLO, max_tokens=300), stream=stream))
    await house.serve(asked(CHAT, changed(HELLO, max_tokens=400), stream=stream))
    few, all_of_it = [record.usage for record in house.ended.records]
    assert (few.generated_tokens, few.reasoning_tokens, few.estimated) == (300, 300 if reasoning else 0, True)
    assert (all_of_it.generated_tokens, all_of_it.estimated) == (400, reasoning is not None)


async def test_a_report_in_the_midst_of_a_stream_does_not_end_it(house: House) -> None:
    """Frames that hold many tokens each, and say how many there are by now, as they do where drafts are accepted."""
    pieces = [chunk({"content": "x" * 8}, usage=usage_of(12, 8 * number)) for number in range(1, 13)]
    end = [chunk({}, finish="length"), usage_chunk(usage_of(12, 96)), b"[DONE]"]
    house.first.always = house.second.always = answers_with(chunked(*framed(*pieces, *end)))
    reply = await house.serve(asked(CHAT, changed(HELLO, max_tokens=96)))
    assert len(reply.frames) == len(pieces) + 1
    assert [record.usage for record in house.ended.records] == [Usage(12, 0, 96)]
