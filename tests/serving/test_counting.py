"""Counting a prompt's tokens: who is asked, what is answered when nobody can tell, and that it costs nothing."""

import asyncio
import json

import msgspec
import pytest
from tests.fakes.engine_scripts import dies, refuses
from tests.fakes.fake_engine import FakeExchange, Script
from tests.fakes.recording_reply import RecordingReply
from tests.serving.house import ACME, CHAT, EMBED, HELLO, PLAIN, House, asked
from tests.serving.test_passed_messages import PASSED

from servery.core.errors import EngineUnavailable, InvalidRequest, LimitExceeded, NotFound, Overloaded
from servery.core.inference import Generation
from servery.core.usage import Usage

COUNT = "/v1/messages/count_tokens"
OF_LLAMA_CPP = "/v1/chat/completions/input_tokens"


def tells(number: int, name: str = "input_tokens") -> Script:
    async def script(exchange: FakeExchange) -> None:
        exchange.whole(200, json.dumps({name: number}).encode())

    return script


async def counted(house: House, model: str = CHAT, work: Generation = HELLO) -> int:
    """What the client is told, which is all of the usage."""
    reply = RecordingReply()
    await house.counting.serve(ACME, asked(model, work, stream=False), reply)
    assert reply.served is not None
    assert reply.served.usage == Usage(reply.served.usage.prompt_tokens, 0, 0, 0)
    return reply.served.usage.prompt_tokens


def paths(house: House) -> list[str]:
    return [one.path for engine in (house.first, house.second) for one in engine.asked]


async def test_an_engine_counts_and_nothing_is_charged(house: House) -> None:
    """It is asked beside its work, though no place is free."""
    house.first.always = house.second.always = tells(17)
    for replica in house.pools["pair"].replicas:
        replica.limit(0)
    assert await counted(house) == 17
    assert paths(house) == [OF_LLAMA_CPP]
    assert not house.ended.records
    assert house.limiter.reading(ACME.account, CHAT) is None


async def test_what_would_be_passed_is_counted_as_it_is_passed(house: House) -> None:
    """vLLM counts Anthropic's form as it reads it; what would be translated is counted translated; so is what an older
    vLLM cannot count otherwise."""
    house.first.scripts.extend([tells(18), tells(19, "count"), refuses(404), tells(20, "count")])
    assert await counted(house, PLAIN, PASSED) == 18
    assert "max_tokens" not in house.first.asked[0].json
    assert await counted(house, PLAIN) == 19
    assert await counted(house, PLAIN, PASSED) == 20
    assert paths(house) == [COUNT, "/tokenize", COUNT, "/tokenize"]


async def test_another_engine_is_asked_if_one_fails(house: House) -> None:
    """One; then the client is told."""
    house.first.scripts.append(dies)
    house.second.scripts.append(dies)
    house.first.always = house.second.always = tells(17)
    with pytest.raises(EngineUnavailable):
        await counted(house)
    house.first.scripts.append(dies)
    assert await counted(house) == 17


async def test_what_no_engine_can_count_is_estimated(house: House) -> None:
    """By what its tokens had before, as limits do."""
    bytes_per_token = house.estimators.of(CHAT).bytes_per_token = 3.0
    for replica in house.pools["pair"].replicas:
        replica.client.traits.counts_prompts = False
    assert await counted(house) == round(len(HELLO.prompt_bytes()) / bytes_per_token)
    assert not paths(house)


async def test_where_none_serves_none_counts(house: House) -> None:
    """As a request would be refused."""
    for replica in house.pools["pair"].replicas:
        replica.down("gone")
    with pytest.raises(Overloaded):
        await counted(house)


async def test_only_so_many_are_counted_at_once(house: House) -> None:
    """So that who only asks for lengths does not keep engines from their work; when they are done, others may."""
    go_on = asyncio.Event()

    async def waits(exchange: FakeExchange) -> None:
        await go_on.wait()
        await tells(17)(exchange)

    house.first.always = house.second.always = waits
    running = [asyncio.create_task(counted(house)) for _ in range(64)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="being counted"):
        await counted(house)
    go_on.set()
    assert await asyncio.gather(*running) == [17] * 64
    assert await counted(house) == 17


async def test_counts_have_a_limit_of_their_own(house: House) -> None:
    """As many as requests for inference, and none of those."""
    house.first.always = house.second.always = tells(17)
    for _ in range(6_000):
        house.counting._limits.take(ACME.account, funded=True)
    with pytest.raises(LimitExceeded):
        await counted(house)
    assert house.limiter.reading(ACME.account, CHAT) is None


@pytest.mark.parametrize(
    ("model", "work", "refusal"),
    [
        ("accounts/servery/models/nothing", HELLO, NotFound),
        (EMBED, HELLO, InvalidRequest),
        (PLAIN, Generation(messages=HELLO.messages, tools=msgspec.Raw(b"[]")), InvalidRequest),
        (PLAIN, Generation(messages=b'"%b"' % (b"x" * 64 * 1_024)), InvalidRequest),
    ],
)
async def test_what_could_not_be_asked_is_not_counted(
    house: House, model: str, work: Generation, refusal: type[Exception]
) -> None:
    """No such model, one that does not converse, has no tools, or not so long a context."""
    with pytest.raises(refusal):
        await counted(house, model, work)
    assert not paths(house)
