"""Requests that are sent to a second replica because the first is slow. The fixture examines the books, the places, the
seats and the limits after each test: whatever happens, nothing is left in flight and each request is charged once."""

import asyncio
from collections.abc import Callable

import pytest
from tests.fakes.engine_scripts import OPENING, answers, dies, progress, refuses, sends, serves, stalls, streams, token
from tests.fakes.fake_engine import FakeExchange, Script
from tests.serving.house import CHAT, GLOBEX, HEDGED, HEDGED_LATE, House, asked
from tests.turns import turns as loop_turns

from servery.core.errors import EngineBroke, EngineUnavailable, InvalidRequest
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.serving_path import Outcome
from servery.core.usage import Usage
from servery.metering.receipts import Receipts

BOTH_WAYS = pytest.mark.parametrize("stream", [True, False])


class InTurn:
    """The same for all engines: the first request that reaches any gets the first script, and so on. ``asked`` are
    those requests in their order."""

    def __init__(self, house: House, *scripts: Script) -> None:
        self.asked: list[FakeExchange] = []
        self._scripts = list(scripts)
        self._came = asyncio.Event()
        house.first.always = house.second.always = self

    async def __call__(self, exchange: FakeExchange) -> None:
        self.asked.append(exchange)
        self._came.set()
        await self._scripts[len(self.asked) - 1](exchange)

    async def wait(self, times: int) -> None:
        while len(self.asked) < times:
            self._came.clear()
            await self._came.wait()


def after(event: asyncio.Event, script: Script) -> Script:
    """Silence until ``event``."""

    async def waits(exchange: FakeExchange) -> None:
        await event.wait()
        await script(exchange)

    return waits


def told(house: House, pool: str = "hedged") -> dict[HedgeOutcome, int]:
    """What was counted, without what was not."""
    return {outcome: count for outcome, count in house.dispatch.hedging.outcomes[pool].items() if count}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@BOTH_WAYS
async def test_a_fast_answer_is_asked_for_once(house: House, stream: bool) -> None:
    """Nothing is counted, and the record tells of no second attempt."""
    house.first.always = house.second.always = serves()
    await house.serve(asked(HEDGED_LATE, stream=stream))
    assert len(house.first.asked) + len(house.second.asked) == 1
    assert told(house, "hedged-late") == {}
    assert house.ended.records[0].hedge is None


@BOTH_WAYS
async def test_a_slow_replica_is_overtaken_by_another(house: House, stream: bool) -> None:
    """The first one is stopped; the record names the one that answered, and is charged for its tokens alone."""
    turns = InTurn(house, sends(progress(12, cached=8), then=stalls) if stream else stalls, serves(prompt=13, cached=4))
    request = asked(HEDGED, stream=stream)
    reply = await house.serve(request)
    assert reply.served is not None
    await turns.asked[0].client_left.wait()
    assert told(house) == {HedgeOutcome.WON: 1}
    (record,) = house.ended.records
    assert (record.usage, record.hedge, record.outcome) == (Usage(13, 4, 2), HedgeOutcome.WON, Outcome.COMPLETED)
    places = [len(engine.asked) for engine in (house.first, house.second)]
    assert places == [1, 1]
    slow = house.first if turns.asked[0] in house.first.asked else house.second
    assert record.replica == ("hedged/1" if slow is house.first else "hedged/0")
    receipt = await house.database.read(lambda connection: Receipts().find(connection, "acme", request.request_id))
    assert receipt is not None
    assert (receipt.hedge, receipt.replica) == (HedgeOutcome.WON, record.replica)
    assert [route.split("; ")[1].split()[0] for route in reply.routes][-1] == record.replica


async def test_the_loser_is_gone_while_the_winner_still_talks(house: House) -> None:
    """Its engine has been stopped, and its place is another's."""
    hold = asyncio.Event()
    turns = InTurn(house, stalls, streams(hold=hold))
    task, reply = house.begin(asked(HEDGED))
    await until(lambda: len(reply.frames) > 0)
    await turns.asked[0].client_left.wait()
    await until(lambda: house.gates["hedged"].inside == 1)
    assert sum(replica.in_flight for replica in house.pools["hedged"].replicas) == 1
    assert len(reply.flows) == 1, "a slow client slows down the winner alone"
    hold.set()
    await task
    assert reply.served is not None


@BOTH_WAYS
async def test_a_first_replica_that_wakes_up_wins(house: House, stream: bool) -> None:
    """The second is stopped, and counts for nothing."""
    wake = asyncio.Event()
    turns = InTurn(house, after(wake, serves()), stalls)
    task, reply = house.begin(asked(HEDGED, stream=stream))
    await turns.wait(2)
    wake.set()
    await task
    assert reply.served is not None
    await turns.asked[1].client_left.wait()
    assert told(house) == {HedgeOutcome.LOST: 1}
    (record,) = house.ended.records
    assert (record.usage, record.hedge) == (Usage(12, 0, 2), HedgeOutcome.LOST)


@BOTH_WAYS
async def test_both_answer_in_the_same_moment(house: House, stream: bool) -> None:
    """One of them is the answer, whole and charged once; nothing of the other is mixed in."""
    for _ in range(30):
        go = asyncio.Event()
        turns = InTurn(house, after(go, serves(["a", "b"])), after(go, serves(["a", "b"])))
        task, reply = house.begin(asked(HEDGED, stream=stream))
        await turns.wait(2)
        go.set()
        await task
        frames = [event for _, event in reply.frames]
        assert sum(b'"content":"a"' in event for event in frames) == sum(b'"b"' in event for event in frames) == stream
    assert len(house.ended.records) == 30
    assert sum(told(house).values()) == 30


@BOTH_WAYS
async def test_both_die(house: House, stream: bool) -> None:
    """One refusal, no third attempt, and nothing to pay."""
    die = asyncio.Event()
    turns = InTurn(house, after(die, dies), after(die, dies))
    task, _ = house.begin(asked(HEDGED, stream=stream))
    await turns.wait(2)
    die.set()
    with pytest.raises(EngineUnavailable):
        await task
    assert len(turns.asked) == 2
    assert told(house) == {HedgeOutcome.FAILED: 1}
    assert house.ended.records == []


@pytest.mark.parametrize("dying", [0, 1])
@BOTH_WAYS
async def test_one_dies_and_the_other_answers(house: House, stream: bool, dying: int) -> None:
    """Nobody hears of the one that died; its place is free before the other answers."""
    die, answer = asyncio.Event(), asyncio.Event()
    scripts = [after(answer, serves()), after(answer, serves())]
    scripts[dying] = after(die, dies)
    turns = InTurn(house, *scripts)
    task, reply = house.begin(asked(HEDGED, stream=stream))
    await turns.wait(2)
    die.set()
    await until(lambda: house.gates["hedged"].inside == 1)
    assert sum(replica.in_flight for replica in house.pools["hedged"].replicas) == 1
    answer.set()
    await task
    assert reply.served is not None
    assert told(house) == {(HedgeOutcome.WON, HedgeOutcome.LOST)[dying]: 1}
    assert [record.usage for record in house.ended.records] == [Usage(12, 0, 2)]


async def test_a_first_replica_that_dies_early_is_retried_as_ever(house: House) -> None:
    """Before there was a second attempt; the one elsewhere is not hedged in turn."""
    turns = InTurn(house, dies, stalls)
    task, _ = house.begin(asked(HEDGED))
    await turns.wait(2)
    await asyncio.sleep(0.05)
    assert len(turns.asked) == 2
    assert told(house) == {}
    task.cancel()
    await asyncio.wait({task})


@BOTH_WAYS
async def test_a_client_that_leaves_stops_both(house: House, stream: bool) -> None:
    """And owes the prompt once."""
    said = sends(progress(12, cached=8), then=stalls) if stream else stalls
    turns = InTurn(house, said, said)
    task, _ = house.begin(asked(HEDGED, stream=stream))
    await turns.wait(2)
    if stream:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    for exchange in turns.asked:
        await exchange.client_left.wait()
    assert told(house) == {HedgeOutcome.ABANDONED: 1}
    (record,) = house.ended.records
    assert (record.outcome, record.hedge) == (Outcome.CLIENT_GONE, HedgeOutcome.ABANDONED)
    assert record.usage.prompt_tokens == (12 if stream else record.usage.prompt_tokens) > 0
    assert record.usage.generated_tokens == 0


async def test_a_client_that_leaves_the_second_after_the_first_died_owes_what_that_did(house: House) -> None:
    """Not the dead one's work."""
    die = asyncio.Event()
    dying = sends(progress(99), then=after(die, dies))
    turns = InTurn(house, dying, sends(progress(12, cached=8), then=stalls))
    task, _ = house.begin(asked(HEDGED))
    await turns.wait(2)
    await loop_turns()
    die.set()
    await until(lambda: house.gates["hedged"].inside == 1)
    task.cancel()
    await asyncio.wait({task})
    (record,) = house.ended.records
    assert (record.usage.prompt_tokens, record.usage.cached_prompt_tokens) == (12, 8)


async def test_the_winner_may_break_later(house: House) -> None:
    """That ends the request, as ever: what was delivered is owed."""
    InTurn(house, stalls, sends(progress(12), OPENING, token("I"), then=dies))
    with pytest.raises(EngineBroke):
        await house.serve(asked(HEDGED))
    (record,) = house.ended.records
    assert (record.outcome, record.hedge, record.usage.generated_tokens) == (Outcome.ENGINE_BROKE, HedgeOutcome.WON, 1)


@pytest.mark.parametrize("refusing", [0, 1])
async def test_what_any_engine_would_refuse_is_refused(house: House, refusing: int) -> None:
    """At once, by whichever says so first."""
    refuse = asyncio.Event()
    scripts: list[Script] = [stalls, stalls]
    scripts[refusing] = after(refuse, refuses(400, "no such thing"))
    turns = InTurn(house, *scripts)
    task, _ = house.begin(asked(HEDGED))
    await turns.wait(2)
    refuse.set()
    with pytest.raises(InvalidRequest):
        await task
    assert told(house) == {HedgeOutcome.FAILED: 1}


async def test_there_is_no_second_attempt_without_room_elsewhere(house: House) -> None:
    """Nor one that others wait for."""
    house.first.always = house.second.always = stalls
    begun = [house.begin(asked(HEDGED)) for _ in range(4)]
    await until(lambda: told(house) == {HedgeOutcome.NO_ROOM: 4})
    assert len(house.first.asked) + len(house.second.asked) == 4
    for task, _ in begun:
        task.cancel()
    await asyncio.wait([task for task, _ in begun])


async def test_second_attempts_are_paid_from_the_budget_of_retries(house: House) -> None:
    """Each costs one; without any left there is none."""
    budget = house.dispatch._retries
    while budget.spend():
        pass
    wake = asyncio.Event()
    turns = InTurn(house, after(wake, serves()))
    task, _ = house.begin(asked(HEDGED))
    await until(lambda: told(house) == {HedgeOutcome.NO_BUDGET: 1})
    wake.set()
    await task
    assert len(turns.asked) == 1
    for _ in range(20):
        budget.earn()
    InTurn(house, stalls, serves())
    await house.serve(asked(HEDGED))
    assert (budget.spend(), budget.spend()) == (True, False), "twenty-two tenths without one"


@BOTH_WAYS
async def test_a_second_attempt_makes_room_for_priority(house: House, stream: bool) -> None:
    """Only one finds room. It is the newest: it alone is stopped, and the first goes on. (The urgent one would have a
    second attempt too, where the machine is slow: without room.)"""
    wake = asyncio.Event()
    slow = after(wake, serves())
    turns = InTurn(house, slow, slow, slow, stalls, serves())
    begun = [house.begin(asked(HEDGED, stream=stream)) for _ in range(3)]
    await turns.wait(4)
    await until(lambda: told(house) == {HedgeOutcome.NO_ROOM: 2})
    assert (await house.serve(asked(HEDGED, stream=stream, priority=True), GLOBEX)).served is not None
    await turns.asked[3].client_left.wait()
    assert not any(task.done() for task, _ in begun)
    wake.set()
    await asyncio.gather(*(task for task, _ in begun))
    counted = told(house)
    assert counted.pop(HedgeOutcome.NO_ROOM) in {2, 3}
    assert counted == {HedgeOutcome.LOST: 1}


async def test_a_request_that_is_called_back_is_stopped_at_both(house: House) -> None:
    """It is served later, and charged once."""
    wake = asyncio.Event()
    turns = InTurn(house, stalls, stalls, *[after(wake, serves())] * 4, serves())
    task, reply = house.begin(asked(HEDGED))
    await turns.wait(2)
    urgent = [house.begin(asked(HEDGED, priority=True), GLOBEX) for _ in range(4)]
    for exchange in turns.asked[:2]:
        await exchange.client_left.wait()
    await turns.wait(6)
    wake.set()
    await asyncio.gather(task, *(one for one, _ in urgent))
    assert reply.served is not None
    (record,) = [one for one in house.ended.records if one.account == "acme"]
    assert record.usage == Usage(12, 0, 2)
    assert house.gates["hedged"].recalls == 2


async def test_each_branch_has_its_own_second_attempt(house: House) -> None:
    """Of a request with two choices; its tokens are counted once for each."""
    choice = asked(HEDGED, stream=False).work[0]
    request = asked(HEDGED, choice, choice, stream=False, choices_per_prompt=2)
    InTurn(house, stalls, stalls, answers(prompt=12, generated=2), answers(prompt=12, generated=3))
    await house.serve(request)
    assert told(house) == {HedgeOutcome.WON: 2}
    assert [record.usage for record in house.ended.records] == [Usage(12, 0, 5)]


async def test_pools_without_it_ask_once(house: House) -> None:
    """However long it takes."""
    hold = asyncio.Event()
    house.first.always = house.second.always = after(hold, streams())
    task, _ = house.begin(asked(CHAT))
    await asyncio.sleep(0.05)
    assert len(house.first.asked) + len(house.second.asked) == 1
    hold.set()
    await task
    assert set(house.dispatch.hedging.outcomes) == {"hedged", "hedged-late"}


async def test_storms_leave_nothing_behind(house: House) -> None:
    """Many at once, whose replicas answer, stall, die and refuse by turns, and whose clients leave."""
    wake = asyncio.Event()
    scripts = [serves(), stalls, after(wake, dies), serves(), after(wake, serves()), refuses(503), stalls, serves()]

    async def whatever(exchange: FakeExchange) -> None:
        number = len(house.first.asked) + len(house.second.asked)
        await scripts[number % len(scripts)](exchange)

    house.first.always = house.second.always = whatever
    for round_ in range(12):
        wake.clear()
        begun = [house.begin(asked(HEDGED, stream=number % 2 == 0)) for number in range(4)]
        await asyncio.sleep(0.03)
        wake.set()
        await asyncio.sleep(0.01)
        for task, _ in begun[round_ % 3 :]:
            task.cancel()
        done, pending = await asyncio.wait([task for task, _ in begun], timeout=0.2)
        for task in pending:
            task.cancel()
        await asyncio.gather(*done, *pending, return_exceptions=True)
    for engine in (house.first, house.second):
        await until(lambda engine=engine: all(one.is_over or one.client_left.is_set() for one in engine.asked))  # type: ignore[misc]
