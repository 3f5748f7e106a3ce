"""The meter: each request in the books once, to the nano-dollar."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.billing.charge import Charge
from servery.billing.price_versions import PriceVersions
from servery.billing.rating import rate
from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.ledger.ledger import Ledger
from servery.metering.cut_requests import keep_cut_requests
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database

MODEL = "accounts/acme/models/small"
PRICE = Price(950_001, 475_003, 4_000_007)
USAGE = Usage(prompt_tokens=1_000, cached_prompt_tokens=100, generated_tokens=37, reasoning_tokens=5)


def record(request_id: str, price_id: str, usage: Usage = USAGE, *, account: str = "a") -> UsageRecord:
    return UsageRecord(
        request_id=request_id,
        account=account,
        key_id="key_1",
        model=MODEL,
        serving_path=ServingPath.STANDARD,
        price_id=price_id,
        usage=usage,
        outcome=Outcome.COMPLETED,
        started_ns=1_000,
        finished_ns=2_000,
        replica="replica-1",
        queue_wait_us=12,
        time_to_first_token_us=345,
        cost_labels=(("team", "search"),),
        asked_path=ServingPath.PRIORITY,
        predicted_cached_prompt_tokens=640,
        hedge=HedgeOutcome.LOST,
    )


def open_request(meter: Meter, request_id: str) -> None:
    meter.opened(request_id, account="a", key_id="key_1", model=MODEL, path=ServingPath.STANDARD, replica="replica-1")


async def price_id_of(database: Database) -> str:
    return await PriceVersions(database, ManualClock()).record(MODEL, ServingPath.STANDARD, PRICE)


@pytest.fixture
async def price_id(database: Database) -> str:
    return await price_id_of(database)


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, clock)


async def test_a_posted_request_is_in_the_books(meter: Meter, price_id: str, place: Path | str) -> None:
    """When ``post`` returns, another process sees record, transfer and balances."""
    open_request(meter, "r1")
    charge = await meter.post(record("r1", price_id), PRICE)
    assert charge == rate(USAGE, PRICE)
    async with Database.open(place) as other:
        assert Ledger(other, ManualClock()).balances_nanodollars() == {
            "accounts/a": charge.nanodollars,
            f"revenue/{MODEL}/standard": -charge.nanodollars,
        }
        row = other.reader.execute("SELECT * FROM usage_records").fetchone()
    assert row[1:] == (
        *("r1", "a", "key_1", MODEL, "standard", price_id, 1_000, 100, 37, 5, 0, "completed", 1_000, 2_000),
        *("replica-1", 12, 345, '[["team","search"]]', charge.nanodollars, "priority", 640, "lost"),
    )


async def test_posting_again_changes_nothing(meter: Meter, price_id: str, ledger: Ledger, database: Database) -> None:
    """The same request, later or at the same time, is charged once and answered with the same charge."""
    first = await meter.post(record("r1", price_id), PRICE)
    later = changed(record("r1", price_id), finished_ns=9_000, replica="replica-2")
    assert await asyncio.gather(*(meter.post(later, PRICE) for _ in range(5))) == [first] * 5
    assert ledger.balance_nanodollars("accounts/a") == first.nanodollars
    assert database.reader.execute("SELECT finished_ns FROM usage_records").fetchall() == [(2_000,)]


@pytest.mark.parametrize(
    "change",
    [
        {"usage": changed(USAGE, generated_tokens=38)},
        {"usage": changed(USAGE, cached_prompt_tokens=99)},
        {"account": "b"},
    ],
)
async def test_a_request_cannot_be_charged_two_ways(
    meter: Meter, price_id: str, ledger: Ledger, change: dict[str, object]
) -> None:
    """Other tokens or another account under the same request id: an error, and the books stay as they were."""
    first = await meter.post(record("r1", price_id), PRICE)
    with pytest.raises(AlreadyExists):
        await meter.post(changed(record("r1", price_id), **change), PRICE)
    assert ledger.balances_nanodollars()["accounts/a"] == first.nanodollars
    assert len(ledger.balances_nanodollars()) == 2


async def test_a_contradiction_harms_nobody_else(meter: Meter, price_id: str, ledger: Ledger) -> None:
    """In one group, what contradicts an earlier posting fails alone."""
    other = changed(USAGE, generated_tokens=38)
    results = await asyncio.gather(
        meter.post(record("r1", price_id), PRICE),
        meter.post(record("r1", price_id, other), PRICE),
        meter.post(record("r2", price_id), PRICE),
        meter.post(record("r3", "price_unknown"), PRICE),
        return_exceptions=True,
    )
    charge = rate(USAGE, PRICE)
    assert (results[0], results[2]) == (charge, charge)
    assert [isinstance(result, Exception) for result in results] == [False, True, False, True]
    assert ledger.balance_nanodollars("accounts/a") == 2 * charge.nanodollars


async def test_a_request_that_costs_nothing_has_its_transfer(meter: Meter, price_id: str, database: Database) -> None:
    """No tokens: a record and a transfer of zero, so that both sides can still be matched."""
    await meter.post(record("r1", price_id, Usage()), PRICE)
    assert database.reader.execute("SELECT id, nanodollars FROM transfers").fetchall() == [("r1", 0)]


async def test_requests_are_journalled_until_they_end(
    meter: Meter, price_id: str, database: Database, journal: Journal
) -> None:
    """An opened request stays in the journal until its posting is durable or it is voided."""
    for request_id in ("posted", "soon", "voided", "left"):
        open_request(meter, request_id)
    meter.void("voided")
    meter.post_soon(record("soon", price_id), PRICE)
    assert journal.open_ids == {"posted", "soon", "left"}
    await meter.post(record("posted", price_id), PRICE)
    await database.write(lambda connection: None)
    assert journal.open_ids == {"left"}


async def test_an_orderly_close_loses_no_posting(place: Path | str) -> None:
    """What nobody waits for is in the books once the database is closed."""
    async with Database.open(place) as database:
        price_id = await price_id_of(database)
        meter = Meter(database, ManualClock())
        for number in range(300):
            meter.post_soon(record(f"r{number}", price_id), PRICE)
    async with Database.open(place) as database:
        balance = Ledger(database, ManualClock()).balance_nanodollars("accounts/a")
        assert balance == 300 * rate(USAGE, PRICE).nanodollars


async def test_a_lost_posting_is_reported(place: Path | str) -> None:
    """A posting that nobody waits for and that fails reaches whoever listens."""
    lost: list[Exception] = []
    async with Database.open(place, on_lost_write=lost.append) as database:
        Meter(database, ManualClock()).post_soon(record("r1", "price_unknown"), PRICE)
        await database.write(lambda connection: None)
    assert len(lost) == 1


REQUESTS = [f"r{number}" for number in range(6)]
USAGES = [Usage(1, 0, 0), Usage(7, 3, 1), Usage(1_000, 1_000, 999), Usage(3, 0, 2, 1, estimated=True)]
Step = tuple[str, str, int]
STEPS = st.tuples(
    st.sampled_from(["open", "post", "post_soon", "void", "cancel", "wait"]),
    st.sampled_from(REQUESTS),
    st.integers(min_value=0, max_value=len(USAGES) - 1),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=40))
def test_books_hold_whatever_the_order(new_place: Callable[[], Path | str], steps: list[Step]) -> None:
    """Any interleaving of openings, postings, repeated and contradicting postings, postings that nobody waits for,
    and callers that leave: each request counts as what was first posted for it, all balances sum to zero, and the
    sum of all ratings is the ledger's, to the nano-dollar."""

    async def scenario() -> None:
        lost: list[Exception] = []
        async with Database.open(new_place(), on_lost_write=lost.append) as database:
            price_id = await price_id_of(database)
            journal = Journal.in_memory()
            await _walk(
                Meter(database, ManualClock(), journal), price_id, steps, lambda: database.write(lambda _: None)
            )
            await database.write(lambda connection: None)
            first = _first_usages(steps)
            owed = sum(rate(usage, PRICE).nanodollars for usage in first.values())
            balances = Ledger(database, ManualClock()).balances_nanodollars()
            assert balances == ({"accounts/a": owed, f"revenue/{MODEL}/standard": -owed} if first else {})
            rows = database.reader.execute("SELECT request_id, generated_tokens FROM usage_records").fetchall()
            assert dict(rows) == {request_id: usage.generated_tokens for request_id, usage in first.items()}
            assert not journal.open_ids & set(first)
        assert all(isinstance(error, AlreadyExists) for error in lost)

    asyncio.run(scenario())


CRASHING_STEPS = st.lists(
    st.one_of(STEPS, st.tuples(st.just("crash"), st.sampled_from(REQUESTS), st.just(0))), max_size=40
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CRASHING_STEPS)
def test_books_hold_whatever_crashes(new_place: Callable[[], Path | str], tmp_path: Path, steps: list[Step]) -> None:
    """The same, with crashes between: the platform forgets all that was not yet handed to the database, and starts
    again. Whatever was told of as charged is in the books with that charge, what was cut is not, and the sum of the
    recorded usage x price is what was charged, to the nano-dollar."""
    place, file = new_place(), tmp_path / "crash.journal"
    file.unlink(missing_ok=True)
    told: dict[str, int] = {}
    lives = _split(steps)

    async def life(part: list[Step]) -> None:
        async with Database.open(place, on_lost_write=lambda _: None) as database:
            journal = Journal.open(file)
            await keep_cut_requests(database, ManualClock(), journal.left)
            journal.forget_left()
            price_id = await price_id_of(database)
            meter = Meter(database, ManualClock(), journal)
            posts: list[tuple[str, asyncio.Task[Charge]]] = []
            for step in part:
                await _act(meter, step, price_id, posts)
            database._commits._gathered.clear()  # the crash: what had not been handed over is gone
            await database.close()
            for request_id, post in posts:
                if post.done() and not post.cancelled() and post.exception() is None:
                    told[request_id] = post.result().nanodollars
                post.cancel()
            await asyncio.gather(*(post for _, post in posts), return_exceptions=True)
            journal.close()

    async def books() -> None:
        async with Database.open(place) as database:
            balances = Ledger(database, ManualClock()).balances_nanodollars()
            columns = "request_id, charge_nanodollars, prompt_tokens, cached_prompt_tokens, generated_tokens"
            rows = database.reader.execute(f"SELECT {columns} FROM usage_records").fetchall()
            charged = {request_id: nanodollars for request_id, nanodollars, *_ in rows}
            assert sum(balances.values()) == 0
            assert balances.get("accounts/a", 0) == sum(charged.values())
            assert sum(rate(Usage(*tokens), PRICE).nanodollars for _, _, *tokens in rows) == sum(charged.values())
            assert told.items() <= charged.items()

    for part in lives:
        asyncio.run(life(part))
    asyncio.run(books())


async def _act(meter: Meter, step: Step, price_id: str, posts: list[tuple[str, asyncio.Task[Charge]]]) -> None:
    kind, request_id, usage = step
    each = record(request_id, price_id, USAGES[usage])
    match kind:
        case "open":
            open_request(meter, request_id)
        case "post" | "cancel":
            posts.append((request_id, asyncio.create_task(meter.post(each, PRICE))))
            await asyncio.sleep(0)
            if kind == "cancel":
                posts[-1][1].cancel()
        case "post_soon":
            meter.post_soon(each, PRICE)
        case "void":
            meter.void(request_id)
        case "wait":
            await asyncio.sleep(0.002)


def _split(steps: list[Step]) -> list[list[Step]]:
    """The lives of a platform that crashes at each step of that kind, and at the end."""
    lives: list[list[Step]] = [[]]
    for step in steps:
        if step[0] == "crash":
            lives.append([])
        else:
            lives[-1].append(step)
    return lives


async def _walk(meter: Meter, price_id: str, steps: list[Step], wait: Callable[[], Awaitable[object]]) -> None:
    """Take the steps; what is started is awaited at the end, in whatever way it ends."""
    started: list[asyncio.Task[object]] = []
    ended: set[str] = set()
    for kind, request_id, usage in steps:
        each = record(request_id, price_id, USAGES[usage])
        match kind:
            case "open" if request_id not in ended:  # a request is opened before it ends
                open_request(meter, request_id)
            case "post" | "cancel":
                task = asyncio.create_task(meter.post(each, PRICE))
                await asyncio.sleep(0)
                if kind == "cancel":
                    task.cancel()
                    meter.post_soon(each, PRICE)  # as the request path does
                started.append(task)
                ended.add(request_id)
            case "post_soon":
                meter.post_soon(each, PRICE)
                ended.add(request_id)
            case "void":
                meter.void(request_id)
            case "wait":
                await wait()
    for result in await asyncio.gather(*started, return_exceptions=True):
        assert not isinstance(result, Exception) or isinstance(result, AlreadyExists)


def _first_usages(steps: list[Step]) -> dict[str, Usage]:
    first: dict[str, Usage] = {}
    for kind, request_id, usage in steps:
        if kind in {"post", "cancel", "post_soon"}:
            first.setdefault(request_id, USAGES[usage])
    return first
