"""The request path from a parsed request to a posted charge, with real books and fake engines.

After each test the fixture examines the books, the places, the seats and the limits: see ``House.check``.
"""

import asyncio
import json

import msgspec
import pytest
from tests.fakes.engine_scripts import (
    OPENING,
    answers,
    dies,
    progress,
    refuses,
    sends,
    serves,
    stalls,
    streams,
    token,
    usage_of,
)
from tests.fakes.fake_engine import FakeExchange
from tests.fakes.stuck_writer import stuck_writer
from tests.serving.house import ACME, CHAT, EMBED, FAST, GLOBEX, HELLO, PLAIN, SLOTTED, House, asked, asked_to_embed
from tests.turns import turns

from servery.core.errors import (
    EngineBroke,
    EngineUnavailable,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Overloaded,
    ServeryError,
)
from servery.core.inference import Generation
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.fleet.circuit_limits import CircuitLimits


async def refused(house: House, *args: object, **kwargs: object) -> ServeryError:
    with pytest.raises(ServeryError) as refusal:
        await house.serve(*args, **kwargs)  # type: ignore[arg-type]
    return refusal.value


# Completed


async def test_a_stream_is_relayed_and_charged_by_the_engines_usage(house: House) -> None:
    """The frames that the client got, the usage that it was told and the charge are of the same tokens."""
    house.first.always = house.second.always = streams(["a", "b", "c"], prompt=20, cached=8)
    reply = await house.serve(asked())
    assert [json.loads(event)["choices"][0]["delta"].get("content") for _, event in reply.frames] == [
        None,
        "a",
        "b",
        "c",
        None,
    ]
    assert reply.served is not None
    assert reply.served.usage == Usage(20, 8, 3)
    assert house.ended.records[0].usage == Usage(20, 8, 3)
    assert house.ended.records[0].outcome is Outcome.COMPLETED
    assert house.ended.charges[0].picodollars == 12 * 100_000 + 8 * 30_000 + 3 * 400_000


async def test_a_stream_starts_with_what_the_engine_told_of_the_prompt(house: House) -> None:
    """So that the response's headers can tell it."""
    house.first.always = house.second.always = streams(prompt=20, cached=8)
    reply = await house.serve(asked())
    assert reply.started is not None
    assert (reply.started.prompt_tokens, reply.started.cached_prompt_tokens) == (20, 8)


async def test_a_whole_answer_is_charged_by_the_engines_usage(house: House) -> None:
    """The body reaches the reply as the engine wrote it."""
    house.first.always = house.second.always = answers("I am", prompt=20, generated=2, cached=8)
    reply = await house.serve(asked(stream=False))
    assert reply.answers is not None
    assert json.loads(reply.answers[0].body)["choices"][0]["message"]["content"] == "I am"
    assert reply.started is None
    assert house.ended.charges[0].picodollars == 12 * 100_000 + 8 * 30_000 + 2 * 400_000


async def test_the_charge_is_durable_before_the_end_is_released(house: House) -> None:
    """What the client is told is what is in the books already."""
    reply_saw: list[int] = []
    task, reply = house.begin(asked())
    finish = reply.finish

    def look_then_finish(*args: object) -> None:
        rows = house.database.reader.execute("SELECT count(*) FROM usage_records").fetchone()
        reply_saw.append(rows[0])
        finish(*args)  # type: ignore[arg-type]

    reply.finish = look_then_finish  # type: ignore[method-assign]
    await task
    assert reply_saw == [1]


async def test_each_serving_path_has_its_price(house: House) -> None:
    """Standard, Priority and a router's Fast: the same tokens, three charges, each named by its price."""
    for request in (asked(), asked(priority=True), asked(FAST)):
        reply = await house.serve(request)
        assert reply.path is house.ended.records[-1].serving_path
    assert [record.serving_path for record in house.ended.records] == [
        ServingPath.STANDARD,
        ServingPath.PRIORITY,
        ServingPath.FAST,
    ]
    assert [charge.picodollars for charge in house.ended.charges] == [
        12 * 100_000 + 2 * 400_000,
        12 * 150_000 + 2 * 600_000,
        12 * 200_000 + 2 * 800_000,
    ]
    assert len({record.price_id for record in house.ended.records}) == 3


async def test_priority_falls_back_where_there_is_none(house: House) -> None:
    """A model without a Priority price serves the request as Standard, and says so."""
    reply = await house.serve(asked(PLAIN, priority=True))
    assert reply.path is ServingPath.STANDARD
    assert house.ended.records[0].serving_path is ServingPath.STANDARD


async def test_choices_of_one_prompt_share_it(house: House) -> None:
    """The prompt is charged once, all that was generated in sum; each choice has its own number."""
    house.first.always = house.second.always = serves(["a", "b"], prompt=20, cached=8)
    reply = await house.serve(asked(CHAT, HELLO, HELLO, HELLO, choices_per_prompt=3))
    assert reply.served is not None
    assert reply.served.usage == Usage(20, 8, 6)
    assert {branch for branch, _ in reply.frames} == {0, 1, 2}
    reply = await house.serve(asked(CHAT, HELLO, HELLO, HELLO, choices_per_prompt=3, stream=False))
    assert reply.served is not None
    assert reply.served.usage == Usage(20, 8, 6)
    assert reply.answers is not None
    assert len(reply.answers) == 3


async def test_several_prompts_are_all_charged(house: House) -> None:
    """Two prompts with two choices each: two prompts, four answers."""
    reply = await house.serve(asked(CHAT, HELLO, HELLO, HELLO, HELLO, choices_per_prompt=2, stream=False))
    assert reply.served is not None
    assert reply.served.usage == Usage(24, 0, 8)


async def test_embeddings_cost_their_prompt(house: House) -> None:
    """Nothing is generated; the engine need not say so."""

    async def embeds(exchange: FakeExchange) -> None:
        assert exchange.path == "/v1/embeddings"
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        exchange.whole(200, json.dumps({"data": [], "usage": usage}).encode())

    house.first.always = embeds
    reply = await house.serve(asked_to_embed("a", "b"))
    assert reply.served is not None
    assert reply.served.usage == Usage(9, 0, 0)
    assert house.ended.charges[0].picodollars == 9 * 20_000
    assert house.ended.records[0].model == EMBED


async def test_an_engine_without_usage_is_charged_by_its_frames(house: House) -> None:
    """Marked as an estimate, in the record too."""
    house.first.always = house.second.always = sends(progress(20, cached=8), OPENING, token("a"), token("b"))
    reply = await house.serve(asked())
    assert reply.served is not None
    assert reply.served.usage == Usage(20, 8, 2, estimated=True)
    assert house.ended.records[0].usage.estimated


async def test_a_stream_of_no_events_ends_well(house: House) -> None:
    """A branch that says nothing at all neither starts nor hinders the stream of the others."""
    last = json.dumps({"choices": [], "usage": usage_of(12, 0)}).encode()
    begun = asyncio.Event()

    async def says_nothing(exchange: FakeExchange) -> None:
        await sends(last)(exchange)
        begun.set()

    async def says_something(exchange: FakeExchange) -> None:
        await begun.wait()
        await asyncio.sleep(0.02)
        await streams()(exchange)

    house.first.scripts.append(says_nothing)
    house.second.scripts.append(says_something)
    reply = await house.serve(asked(CHAT, HELLO, HELLO, choices_per_prompt=2))
    assert reply.started is not None
    assert len(reply.frames) == 4


# Before an engine


async def test_what_cannot_be_served_costs_nothing(house: House) -> None:
    """Unknown models and missing capabilities are refused before anything is taken."""
    assert isinstance(await refused(house, asked("accounts/servery/models/none")), NotFound)
    assert isinstance(await refused(house, asked(EMBED)), InvalidRequest)
    tools = changed(HELLO, tools=msgspec.Raw(b"[]"))
    assert isinstance(await refused(house, asked(PLAIN, tools)), InvalidRequest)
    echo = Generation(prompt="a", echo=True)
    assert (await refused(house, asked(CHAT, echo))).param == "echo"
    assert house.first.asked == house.second.asked == []
    assert house.ended.records == []
    assert all(reply.reading is None for reply in house.replies)


async def test_a_limit_refuses_before_the_engine(house: House) -> None:
    """The refusal leaves nothing taken, and says when to come back; another account is not concerned."""
    house.first.always = serves(["x"] * 380, prompt=12)
    await house.serve(asked(PLAIN, changed(HELLO, max_tokens=380)))
    refusal = await refused(house, asked(PLAIN))
    assert isinstance(refusal, LimitExceeded)
    assert refusal.retry_after_s is not None
    assert refusal.retry_after_s > 0
    await house.serve(asked(PLAIN), GLOBEX)
    assert len(house.first.asked) == 2


async def test_what_is_believed_to_be_cached_is_not_reserved_as_uncached(house: House) -> None:
    """A prompt that a replica has answered before reserves less of that limit while it is served again."""
    long = changed(HELLO, messages=b'[{"role":"user","content":"' + b"x" * 800 + b'"}]')
    house.first.always = serves(prompt=200)
    await house.serve(asked(PLAIN, long))
    first = house.replies[-1].reading
    house.first.always = serves(prompt=200, cached=190)
    await house.serve(asked(PLAIN, long))
    second = house.replies[-1].reading
    assert first is not None
    assert second is not None
    assert first.uncached_prompt - first.uncached_prompt_remaining > 150
    used_before = 200
    assert second.uncached_prompt - second.uncached_prompt_remaining - used_before < 100
    assert second.prompt - second.prompt_remaining - used_before > 150


async def test_a_full_queue_refuses_and_costs_nothing(house: House) -> None:
    """One is served, one waits, the third is shed."""
    hold = asyncio.Event()
    house.first.always = streams(hold=hold)
    serving, _ = house.begin(asked(PLAIN))
    await house.first.wait_asked(1)
    waiting, _ = house.begin(asked(PLAIN))
    await asyncio.sleep(0)
    refusal = await refused(house, asked(PLAIN))
    assert isinstance(refusal, Overloaded)
    assert refusal.retry_after_s is not None
    hold.set()
    await asyncio.gather(serving, waiting)
    assert len(house.ended.records) == 2


async def test_a_client_that_leaves_the_queue_costs_nothing(house: House) -> None:
    """It never reached an engine: no record, no charge, its reservation is given back."""
    hold = asyncio.Event()
    house.first.always = streams(hold=hold)
    serving, _ = house.begin(asked(PLAIN))
    await house.first.wait_asked(1)
    waiting, _ = house.begin(asked(PLAIN))
    await turns()
    assert house.gates["solo"].waiting == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert house.gates["solo"].waiting == 0
    hold.set()
    await serving
    assert len(house.ended.records) == 1


async def test_a_pool_without_a_ready_replica_refuses(house: House) -> None:
    """It waits for one, and goes on as soon as one is up."""
    replica = house.pools["solo"].replicas[0]
    client = replica.client
    replica.down("test")
    task, _ = house.begin(asked(PLAIN))
    await asyncio.sleep(0.01)
    assert not task.done()
    replica.up(client)
    await task
    assert len(house.ended.records) == 1


# Engines that refuse


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("status", "kind"), [(429, Overloaded), (503, Overloaded), (400, InvalidRequest)])
async def test_an_engines_refusal_costs_nothing(
    house: House, stream: bool, status: int, kind: type[ServeryError]
) -> None:
    """Also when both replicas refuse; what the caller did wrong is not tried again."""
    house.first.always = house.second.always = refuses(status, "no")
    assert isinstance(await refused(house, asked(stream=stream)), kind)
    assert house.ended.records == []
    assert len(house.first.asked) + len(house.second.asked) == (1 if kind is InvalidRequest else 2)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_tried_on_another_replica(house: House, stream: bool) -> None:
    """And charged once, by the one that served."""
    house.first.always = refuses(503, "busy")
    reply = await house.serve(asked(stream=stream))
    assert reply.served is not None
    assert len(house.second.asked) == 1
    assert len(house.ended.records) == 1
    assert house.ended.records[0].usage == Usage(12, 0, 2)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_death_before_the_first_byte_is_tried_on_another_replica(house: House, stream: bool) -> None:
    """The client notices nothing, and is charged once."""
    house.first.always = dies
    for _ in range(3):
        reply = await house.serve(asked(stream=stream))
        assert reply.served is not None
    assert len(house.ended.records) == 3
    assert len(house.second.asked) == 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_retry_waits_for_a_place_at_another_replica(house: House, stream: bool) -> None:
    """However full that is, and however much room there is where it has just been failed."""
    hold = asyncio.Event()
    house.first.always, house.second.always = dies, streams(hold=hold)
    busy = [house.begin(asked(CHAT)) for _ in range(2)]
    async with asyncio.timeout(60):
        await house.second.wait_asked(2)
        house.second.always = serves()
        task, reply = house.begin(asked(CHAT, stream=stream))
        while not house.gates["pair"].waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        asked_of_it = len(house.first.asked)
        await turns(50)
        assert len(house.first.asked) == asked_of_it
        assert not task.done()
        hold.set()
        await asyncio.gather(task, *(one for one, _ in busy))
    assert reply.served is not None
    assert len(house.second.asked) == 3


async def test_where_there_is_no_other_replica_a_failure_is_told_at_once(house: House) -> None:
    """As what it is; nothing is gained by asking the same again."""
    house.first.always = dies
    assert isinstance(await refused(house, asked(PLAIN)), EngineUnavailable)
    assert len(house.first.asked) == 1
    house.pools["pair"].replicas[1].down("test")
    assert isinstance(await refused(house, asked(CHAT)), EngineUnavailable)
    assert len(house.first.asked) == 2


async def test_a_death_in_json_is_tried_again_and_charged_once(house: House) -> None:
    """Nothing of the answer had been passed on."""

    async def half(exchange: FakeExchange) -> None:
        exchange.head(200, ("Content-Length", "100"))
        exchange.raw(b"{")
        exchange.close()

    house.first.always = half
    await house.serve(asked(stream=False))
    assert house.ended.records[0].usage == Usage(12, 0, 2)


async def test_a_death_in_json_everywhere_costs_nothing(house: House) -> None:
    """The client got nothing."""
    house.first.always = house.second.always = dies
    assert isinstance(await refused(house, asked(stream=False)), EngineUnavailable)
    assert house.ended.records == []


async def test_retries_are_a_fraction_of_the_traffic(house: House) -> None:
    """When every engine fails, they are not asked twice for ever (nor, but for their circuits, at all)."""
    for replica in house.pools["pair"].replicas:
        replica.circuit.limits = CircuitLimits(failures_to_open=1_000)
    house.first.always = house.second.always = refuses(500, "broken")  # one that dies would not be asked so often
    for _ in range(200):
        assert isinstance(await refused(house, asked()), EngineUnavailable)
    assert len(house.first.asked) + len(house.second.asked) <= 200 + 100 + 20


# Engines that break


async def test_a_death_in_a_stream_is_charged_as_delivered(house: House) -> None:
    """The client is told that it broke; the prompt and the frames that came are charged, marked as estimated."""
    house.first.always = house.second.always = sends(progress(20, cached=8), OPENING, token("a"), token("b"), then=dies)
    assert isinstance(await refused(house, asked()), EngineBroke)
    record = house.ended.records[0]
    assert record.outcome is Outcome.ENGINE_BROKE
    assert record.usage == Usage(20, 8, 2, estimated=True)
    assert house.ended.charges[0].picodollars == 12 * 100_000 + 8 * 30_000 + 2 * 400_000
    assert len(house.first.asked) + len(house.second.asked) == 1


async def test_one_branch_that_fails_ends_all(house: House) -> None:
    """The refusal is the branch's own; the other engine is stopped; nothing was delivered, nothing is charged."""
    house.first.always = stalls
    house.second.always = refuses(400, "no such grammar")
    refusal = await refused(house, asked(CHAT, HELLO, HELLO, choices_per_prompt=2))
    assert isinstance(refusal, InvalidRequest)
    assert refusal.message == "no such grammar"
    for exchange in house.first.asked:
        await exchange.client_left.wait()
    assert house.ended.records == []


async def test_one_branch_that_breaks_is_charged_with_all_that_was_delivered(house: House) -> None:
    """The prompt once, and the frames of both."""
    both = asyncio.Event()

    async def when_both(exchange: FakeExchange) -> None:
        await both.wait()
        await dies(exchange)

    house.first.always = sends(progress(20), OPENING, token("a"), token("b"), then=stalls)
    house.second.always = sends(progress(20), OPENING, token("c"), then=when_both)
    task, reply = house.begin(asked(CHAT, HELLO, HELLO, choices_per_prompt=2))
    while len(reply.frames) < 5:  # noqa: ASYNC110
        await asyncio.sleep(0)
    both.set()
    with pytest.raises(EngineBroke):
        await task
    assert house.ended.records[0].usage == Usage(20, 0, 3, estimated=True)


# Clients that leave


@pytest.mark.parametrize("choices", [1, 3])
async def test_a_client_that_leaves_a_stream_stops_the_engine_and_pays_so_far(house: House, choices: int) -> None:
    """The prompt and the frames that were generated until then."""
    house.first.always = house.second.always = sends(
        progress(20, cached=8), OPENING, token("a"), token("b"), then=stalls
    )
    task, reply = house.begin(asked(CHAT, *[HELLO] * choices, choices_per_prompt=choices))
    while len(reply.frames) < 3 * choices:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60):
        for exchange in house.first.asked + house.second.asked:
            await exchange.client_left.wait()
    record = house.ended.records[0]
    assert record.outcome is Outcome.CLIENT_GONE
    assert record.usage == Usage(20, 8, 2 * choices, estimated=True)
    assert reply.served is None


async def test_a_client_that_leaves_before_the_first_token_pays_the_prompt(house: House) -> None:
    """By the engine's word where it gave it, else by a guess."""
    house.first.always = house.second.always = stalls
    task, _ = house.begin(asked(stream=False))
    while not house.first.asked + house.second.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60):
        for exchange in house.first.asked + house.second.asked:
            await exchange.client_left.wait()
    usage = house.ended.records[0].usage
    assert usage.estimated
    assert usage.generated_tokens == 0
    assert usage.prompt_tokens == round(len(HELLO.prompt_bytes()) / 4.0)


async def test_a_client_that_leaves_at_the_very_end_is_charged_in_full(house: House) -> None:
    """Its charge is under way: it is neither lost nor doubled. The observer is not told of it twice either."""
    async with stuck_writer(house.database):
        task, reply = house.begin(asked())
        while not house.database.queued_writes:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert reply.served is None
    await house.database.write(lambda connection: None)
    rows = house.database.reader.execute("SELECT outcome, generated_tokens FROM usage_records").fetchall()
    assert rows == [("completed", 2)]
    assert len(house.ended.records) == 1


# Slots


def empties(exchange: FakeExchange) -> bool:
    return exchange.json.get("cache_prompt") is False


async def test_a_slot_is_emptied_by_another_account(house: House) -> None:
    """Two slots, two accounts: whoever takes over a slot goes on with nothing that lies there; and next time with what
    is its own."""
    for caller in (ACME, GLOBEX, ACME, GLOBEX):
        await house.serve(asked(SLOTTED), caller)
    assert not any(map(empties, house.first.asked))
    slots = {exchange.json["id_slot"] for exchange in house.first.asked}
    assert slots == {0, 1}
    third = changed(ACME, account="initech")
    for _ in range(2):
        await house.serve(asked(SLOTTED), third)
    took, again = house.first.asked[-2:]
    assert (empties(took), empties(again)) == (True, False)
    assert took.json["id_slot"] == again.json["id_slot"]


@pytest.mark.parametrize(("prompt", "cached"), [(0, 0), (12, 4)], ids=["empty", "gone on with"])
async def test_a_slot_is_empty_once_the_engine_shows_it(house: House, prompt: int, cached: int) -> None:
    """An engine that was told nothing to compute, or went on with what lay there all the same, has not emptied it: the
    next request is to."""
    for caller in (ACME, GLOBEX):
        await house.serve(asked(SLOTTED), caller)
    third = changed(ACME, account="initech")
    house.first.scripts.append(serves(prompt=prompt, cached=cached))
    for _ in range(3):
        await house.serve(asked(SLOTTED), third)
    assert [empties(one) for one in house.first.asked] == [False, False, True, True, False]


async def test_a_slot_whose_engine_refused_is_not_empty(house: House) -> None:
    """The next request is told to empty it again."""
    for caller in (ACME, GLOBEX):
        await house.serve(asked(SLOTTED), caller)
    third = changed(ACME, account="initech")
    house.first.scripts.append(refuses(500))
    await refused(house, asked(SLOTTED), third)
    await house.serve(asked(SLOTTED), third)
    await house.serve(asked(SLOTTED), third)
    assert [empties(one) for one in house.first.asked[2:]] == [True, True, False]


async def test_what_the_model_lists_is_filled_in(house: House) -> None:
    """The model's default sampling and a bound on the answer; what the request says wins."""
    await house.serve(asked(CHAT, changed(HELLO, max_tokens=None)))
    sent = (house.first.asked + house.second.asked)[0].json
    assert sent["temperature"] == 0.2
    assert sent["max_tokens"] == 2_048


async def test_a_request_that_cannot_be_journalled_does_not_begin(impatient_house: House) -> None:
    """When the database cannot keep up, no engine is asked for what could not be accounted for; not at the second
    attempt either."""
    house = impatient_house
    async with stuck_writer(house.database):
        assert isinstance(await refused(house, asked()), Overloaded)
    assert house.first.asked == house.second.asked == []
