"""How a request can end, and what it then costs: each rule with its test.

Whatever the end, the books are verified when a test is over, and nothing stays reserved (``House.check``).
"""

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

import msgspec
import pytest

from servery.billing.rating import rate
from servery.control.verify_books import verify
from servery.core.errors import (
    AlreadyExists,
    EngineBroke,
    EngineUnavailable,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Overloaded,
    ServeryError,
)
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.metering.receipts import Receipt, Receipts
from tests.fakes.engine_scripts import (
    ENVELOPE,
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
    usage_chunk,
    usage_of,
)
from tests.fakes.fake_engine import FakeExchange
from tests.fakes.stuck_writer import stuck_writer
from tests.integration.platform_process import PlatformProcess, chat
from tests.integration.streams import End, read_many, read_stream
from tests.serving.house import CHAT, HELLO, PLAIN, House, asked

STANDARD = Price(100_000, 30_000, 400_000)
"""What the house's chat model costs."""


async def receipts(house: House) -> list[Receipt]:
    """What is in the books, newest first, whoever waited for it."""
    await house.database.write(lambda connection: None)
    report = Receipts()
    ids = house.database.reader.execute("SELECT account, request_id FROM usage_records ORDER BY sequence DESC")
    found = [report.find(house.database.reader, *row) for row in ids.fetchall()]
    return [receipt for receipt in found if receipt is not None]


async def the_receipt(house: House) -> Receipt:
    """Of the one request that was charged: its charge is its usage times its prices."""
    (receipt,) = await receipts(house)
    assert receipt.charge_nanodollars == rate(receipt.usage, receipt.price).nanodollars
    return receipt


async def refusal(house: House, *work: object, **how: object) -> ServeryError:
    with pytest.raises(ServeryError) as raised:
        await house.serve(asked(*work, **how))  # type: ignore[arg-type]
    return raised.value


@pytest.mark.parametrize("stream", [True, False])
async def test_completed(house: House, stream: bool) -> None:
    """All of it, by the engine's own usage, which is what the client was shown."""
    house.first.always = house.second.always = serves(["I", " am"], prompt=20, cached=8)
    reply = await house.serve(asked(stream=stream))
    receipt = await the_receipt(house)
    assert reply.served is not None
    assert receipt.usage == reply.served.usage == Usage(20, 8, 2)
    assert (receipt.outcome, receipt.price) == (Outcome.COMPLETED, STANDARD)
    assert (receipt.asked_path, receipt.serving_path) == (ServingPath.STANDARD, ServingPath.STANDARD)


async def test_priority_that_there_is_none_of(house: House) -> None:
    """Is served and charged as Standard; the receipt says what was asked for."""
    house.first.always = serves()
    await house.serve(asked(PLAIN, priority=True))
    receipt = await the_receipt(house)
    assert (receipt.asked_path, receipt.serving_path) == (ServingPath.PRIORITY, ServingPath.STANDARD)


async def test_client_gone_json(house: House) -> None:
    """The prompt, and what was generated until the engine was told to stop: of a whole answer nothing was seen yet."""
    house.first.always = house.second.always = stalls
    task, _ = house.begin(asked(stream=False))
    while not house.first.asked + house.second.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await leave(house, task)
    receipt = await the_receipt(house)
    assert receipt.outcome is Outcome.CLIENT_GONE
    assert receipt.usage == Usage(round(len(HELLO.prompt_bytes()) / 4.0), 0, 0, estimated=True)


async def test_client_gone_stream(house: House) -> None:
    """The prompt, and each token that was generated until the engine was told to stop."""
    house.first.always = house.second.always = sends(
        progress(20, cached=8), OPENING, token("a"), token("b"), then=stalls
    )
    task, reply = house.begin(asked())
    while len(reply.frames) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await leave(house, task)
    receipt = await the_receipt(house)
    assert (receipt.outcome, receipt.usage) == (Outcome.CLIENT_GONE, Usage(20, 8, 2, estimated=True))


async def leave(house: House, task: asyncio.Task[None]) -> None:
    """As a client that closes its connection: its engine must hear of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60):
        for exchange in house.first.asked + house.second.asked:
            await exchange.client_left.wait()


@pytest.mark.parametrize("choices", [1, 3])
async def test_platform_ended_in_a_stream(house: House, choices: int) -> None:
    """What was delivered, flagged; engines are told to stop."""
    house.first.always = house.second.always = sends(progress(20, cached=8), OPENING, token("a"), then=stalls)
    task, reply = house.begin(asked(CHAT, *[HELLO] * choices, choices_per_prompt=choices))
    while len(reply.frames) < 2 * choices:  # noqa: ASYNC110
        await asyncio.sleep(0)
    house.pipeline.is_ending = True
    await leave(house, task)
    receipt = await the_receipt(house)
    assert (receipt.outcome, receipt.usage) == (Outcome.PLATFORM_ENDED, Usage(20, 8, choices, estimated=True))


@pytest.mark.parametrize("stream", [True, False])
async def test_platform_ended_before_the_first_byte(house: House, stream: bool) -> None:
    """Nothing."""
    house.first.always = house.second.always = stalls
    task, _ = house.begin(asked(stream=stream))
    while not house.first.asked + house.second.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    house.pipeline.is_ending = True
    await leave(house, task)
    assert await receipts(house) == []


async def test_platform_ended_at_the_very_end(house: House) -> None:
    """All of it: who is only being charged gets the whole answer."""
    async with stuck_writer(house.database):
        task, reply = house.begin(asked())
        while reply.answers is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        house.pipeline.is_ending = True
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    await task
    assert reply.served is not None
    receipt = await the_receipt(house)
    assert (receipt.outcome, receipt.usage) == (Outcome.COMPLETED, reply.served.usage)


async def test_engine_died_in_a_stream(house: House) -> None:
    """What was delivered, flagged; the client is told that it broke."""
    house.first.always = house.second.always = sends(progress(20, cached=8), OPENING, token("a"), then=dies)
    assert isinstance(await refusal(house), EngineBroke)
    receipt = await the_receipt(house)
    assert (receipt.outcome, receipt.usage) == (Outcome.ENGINE_BROKE, Usage(20, 8, 1, estimated=True))


@pytest.mark.parametrize("stream", [True, False])
async def test_engine_died_before_the_first_byte(house: House, stream: bool) -> None:
    """Nothing, when it died everywhere; else what the other one did, once."""
    house.first.always = house.second.always = dies
    assert isinstance(await refusal(house, stream=stream), EngineUnavailable)
    assert await receipts(house) == []


async def test_shed(house: House) -> None:
    """Nothing: the shared pool was full."""
    hold = asyncio.Event()
    house.first.always = streams(hold=hold)
    serving, _ = house.begin(asked(PLAIN))
    await house.first.wait_asked(1)
    waiting, _ = house.begin(asked(PLAIN))
    await asyncio.sleep(0)
    assert isinstance(await refusal(house, PLAIN), Overloaded)
    hold.set()
    await asyncio.gather(serving, waiting)
    assert len(await receipts(house)) == 2


async def test_limited(house: House) -> None:
    """Nothing: the account had used up its own limit."""
    house.first.always = serves(["x"] * 380, prompt=12)
    await house.serve(asked(PLAIN, changed(HELLO, max_tokens=380)))
    assert isinstance(await refusal(house, PLAIN), LimitExceeded)
    assert (await the_receipt(house)).usage.generated_tokens == 380


@pytest.mark.parametrize(
    ("model", "change", "kind"),
    [
        ("accounts/servery/models/none", {}, NotFound),
        (PLAIN, {"tools": msgspec.Raw(b"[]")}, InvalidRequest),
        (CHAT, {"max_tokens": 5}, InvalidRequest),
    ],
)
async def test_invalid(house: House, model: str, change: dict[str, object], kind: type[ServeryError]) -> None:
    """Nothing, whether the platform refuses it or the engine does."""
    house.first.always = house.second.always = refuses(400, "no such thing")
    assert isinstance(await refusal(house, model, changed(HELLO, **change)), kind)
    assert await receipts(house) == []


def test_gateway_killed(tmp_path: Path) -> None:
    """Every response whose end was released is in the books, once; a cut one costs nothing, and is told of."""
    endless = {"max_tokens": 1_500, "ignore_eos": True, "temperature": 0.8}
    with PlatformProcess(tmp_path / "data") as platform:
        with platform.client() as client:
            whole = [read_stream(client, chat(f"Who are you? {number}", max_tokens=20)) for number in range(4)]
            bodies = [chat(f"Tell me a very long story. {number}", **endless) for number in range(3)]
            cut = read_many(client, bodies, when_all_began=platform.kill)
        assert {one.end for one in whole} == {End.COMPLETE}
        platform.start()
        platform.stop(signal.SIGTERM)
        with sqlite3.connect(platform.data_dir / "servery.db") as books:
            charged = [row[0] for row in books.execute("SELECT request_id FROM usage_records")]
            told = {row[0] for row in books.execute("SELECT request_id FROM cut_requests")}
        released = [one.request_id for one in [*whole, *cut] if one.end is End.COMPLETE]
        assert sorted(charged) == sorted(released)
        assert told == {one.request_id for one in cut if one.end is not End.COMPLETE}
        assert platform.command("ledger", "verify").returncode == 0


async def test_duplicate_settle(house: House) -> None:
    """Posted again, at once or later, it is charged once; other facts under its id are refused and change nothing."""
    await house.serve(asked())
    record, charge = house.ended.records[0], house.ended.charges[0]
    again = await asyncio.gather(*(house.meter.post(record, STANDARD) for _ in range(8)))
    assert set(again) == {charge}
    with pytest.raises(AlreadyExists):
        await house.meter.post(changed(record, usage=Usage(1, 0, 1)), STANDARD)
    assert (await the_receipt(house)).usage == record.usage


@pytest.mark.parametrize("jump_s", [-86_400 * 40, 86_400 * 40])
async def test_clock_jump(house: House, jump_s: int) -> None:
    """The wall clock is set while a request runs: its price is that of its admission, its charge its tokens'. Waits are
    measured by the clock that never jumps, and so is what lies between its receipt's times."""
    await house.prices.change(CHAT, ServingPath.STANDARD, Price(2, 2, 2), from_ns=house.clock.wall_ns() + 10**9)
    hold = asyncio.Event()
    house.first.always = house.second.always = streams(hold=hold)
    task, _ = house.begin(asked())
    while not house.first.asked + house.second.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    house.clock._wall_ns += jump_s * 10**9
    hold.set()
    await task
    receipt = await the_receipt(house)
    assert receipt.price == STANDARD
    assert receipt.queue_wait_us == 0
    assert 0 <= receipt.finished_ns - receipt.started_ns < 10**9
    assert verify(house.database).holds


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_absent(house: House, stream: bool) -> None:
    """A stream is charged by its frames, a whole answer by its length; both are marked as estimated."""

    async def tells_nothing(exchange: FakeExchange) -> None:
        whole = json.loads(json.dumps({**ENVELOPE, "object": "chat.completion"}))
        message = {"role": "assistant", "content": "I am what I am"}
        whole["choices"] = [{"finish_reason": "stop", "index": 0, "message": message}]
        body = json.dumps(whole).encode()
        exchange.head(200, ("Content-Type", "application/json"), ("Content-Length", str(len(body))))
        exchange.raw(body)

    frames = sends(progress(20, cached=8), OPENING, token("a"), token("b"))
    house.first.always = house.second.always = frames if stream else tells_nothing
    reply = await house.serve(asked(stream=stream))
    usage = (await the_receipt(house)).usage
    assert usage.estimated
    assert reply.served is not None
    assert usage == reply.served.usage
    assert usage.generated_tokens == 2 if stream else usage.generated_tokens > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_contradictory(house: House, stream: bool) -> None:
    """More cached than there are: all of them are cached, and the value is marked; the client is shown the same."""
    if stream:
        house.first.always = house.second.always = sends(OPENING, token("a"), usage_chunk(usage_of(12, 1, cached=90)))
    else:
        house.first.always = house.second.always = answers("a", prompt=12, generated=1, cached=90)
    reply = await house.serve(asked(stream=stream))
    usage = (await the_receipt(house)).usage
    assert (usage.prompt_tokens, usage.cached_prompt_tokens, usage.estimated) == (12, 12, True)
    assert reply.served is not None
    assert reply.served.usage == usage


@pytest.mark.parametrize("count", [200_000, 10**12, 2**63, 10**30])
@pytest.mark.parametrize("stream", [True, False])
async def test_usage_impossible(house: House, stream: bool, count: int) -> None:
    """More tokens than sixteen contexts are no report: the charge is that of what passed, and the value is marked."""
    if stream:
        house.first.always = house.second.always = sends(OPENING, token("a"), usage_chunk(usage_of(count, count)))
    else:
        house.first.always = house.second.always = answers("four", prompt=count, generated=count)
    reply = await house.serve(asked(stream=stream))
    guess = round(len(HELLO.prompt_bytes()) / 4.0)
    usage = (await the_receipt(house)).usage
    assert usage == Usage(guess, 0, 1, estimated=True)
    assert reply.served is not None
    assert reply.served.usage == usage
