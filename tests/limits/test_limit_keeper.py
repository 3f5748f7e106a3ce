"""Limits over restarts, and limits that the operator fixes, with a real database."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.fakes.stuck_writer import stuck_writer
from tests.limits.desk import LIMITS, Desk

from servery.catalog.token_limits import TokenLimits
from servery.core.errors import InternalError, InvalidRequest, NotFound
from servery.core.usage import Usage
from servery.limits.custom_limits import CustomLimits
from servery.limits.estimated import Estimate
from servery.limits.fixed_limits import FixedLimits
from servery.limits.limit_keeper import LimitKeeper
from servery.limits.limit_records import LimitRecords
from servery.limits.rules import AdaptationRules, LimitRules
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.tenancy.accounts import Accounts

MODEL = "accounts/servery/models/m"
CEILINGS = TokenLimits(
    prompt_tokens_per_minute=1_000_000,
    uncached_prompt_tokens_per_minute=1_000_000,
    generated_tokens_per_minute=1_000_000,
)
RULES = LimitRules(adaptation=AdaptationRules(start=LIMITS))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "servery.db") as database:
        yield database


def keeper_of(desk: Desk, database: Database, extended: list[int] | None = None) -> LimitKeeper:
    told = extended if extended is not None else []
    return LimitKeeper(
        database,
        desk.limiter,
        desk.clock,
        rules=RULES,
        save_interval_s=60.0,
        extend=lambda: told.append(1),
        logger=logging.getLogger("test"),
    )


def use(desk: Desk, minutes: int, tokens: int) -> None:
    """A request each minute that uses ``tokens`` of each kind."""
    for _ in range(minutes):
        grant = desk.reserve(Estimate(0, 0, 0), counted_as=MODEL)
        grant.settle(Usage(tokens, 0, tokens))
        grant.release()
        desk.clock.advance(60)


def limits_of(desk: Desk) -> tuple[int, int, int]:
    desk.reserve(Estimate(0, 0, 0), counted_as=MODEL).release()
    reading = desk.limiter.reading("acme", MODEL)
    assert reading is not None
    return reading.prompt, reading.uncached_prompt, reading.generated


async def test_limits_are_kept_over_a_restart(database: Database) -> None:
    """What they had risen to, and when they may rise again."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    use(desk, 16, 900)
    assert limits_of(desk) == (1_250, 625, 125)
    await keeper.close()

    later = Desk(RULES, limits=CEILINGS)
    later.clock.advance(desk.clock.monotonic_s() + 5)
    await keeper_of(later, database).open()
    assert limits_of(later) == (1_250, 625, 125)
    use(later, 5, 900)
    assert limits_of(later) == (1_250, 625, 125)
    use(later, 10, 900)
    assert limits_of(later)[1] == 781


async def test_an_orderly_end_forgets_nothing(database: Database) -> None:
    """Neither the use of a minute that has not ended nor one that nobody has looked at since."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    use(desk, 16, 900)
    grant = desk.reserve(Estimate(0, 0, 0), counted_as=MODEL)
    grant.settle(Usage(777, 0, 7))
    grant.release()
    await keeper.close()
    state = (await LimitRecords(database).states_of("acme"))[MODEL]
    assert (state.prompt.sample_tokens, state.generated.sample_tokens) == (900 + 777, 900 + 7)
    desk.clock.advance(3_600)
    await keeper.close()
    state = (await LimitRecords(database).states_of("acme"))[MODEL]
    assert [peak.tokens_per_minute for peak in state.prompt.peaks] == [900.0, (900 + 777) / 15]


async def test_an_end_does_not_wait_for_a_database_that_is_silent(place: Path | str) -> None:
    """What was learned since the last time is lost, and that is told."""
    async with Database.open(place, limits=StoreLimits(stall_s=0.05, commit_timeout_s=600.0)) as database:
        desk = Desk(RULES, limits=CEILINGS)
        keeper = keeper_of(desk, database)
        await keeper.open()
        use(desk, 16, 900)
        async with stuck_writer(database), asyncio.timeout(60):
            while not database.is_stalled:  # noqa: ASYNC110 - time passes
                await asyncio.sleep(0.01)
            await keeper.close()


async def test_limits_that_were_idle_begin_anew(database: Database) -> None:
    """After three days; what was written down is forgotten then."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    use(desk, 16, 900)
    limits_of(desk)
    await keeper.close()
    later = Desk(RULES, limits=CEILINGS)
    later.clock.advance(desk.clock.monotonic_s() + 3 * 86_400 + 1)
    await keeper_of(later, database).open()
    assert limits_of(later) == (1_000, 500, 100)
    assert await LimitRecords(database).states_of("acme") == {}


async def test_a_wrong_clock_at_the_last_run_does_no_harm(database: Database) -> None:
    """It ran years ahead; limits go on from where they were, now."""
    desk = Desk(RULES, limits=CEILINGS)
    desk.clock.advance(10 * 365 * 86_400)
    keeper = keeper_of(desk, database)
    await keeper.open()
    desk = Desk(RULES, limits=CEILINGS)
    desk.clock.advance(10 * 365 * 86_400)
    keeper = keeper_of(desk, database)
    use(desk, 16, 900)
    assert limits_of(desk) == (1_250, 625, 125)
    await keeper.close()
    now = Desk(RULES, limits=CEILINGS)
    await keeper_of(now, database).open()
    assert limits_of(now) == (1_250, 625, 125)
    use(now, 16, 900)
    assert limits_of(now)[1] == 781


async def test_changes_are_recorded(database: Database) -> None:
    """The limits at first, and each change after; nothing while they stay."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    for _ in range(35):
        use(desk, 1, 900)
        await keeper.save()
    changes = await LimitRecords(database).changes("acme", until_ns=desk.clock.wall_ns())
    assert [(change.model, change.limits.generated_tokens_per_minute) for change in changes] == [
        (MODEL, 100),
        (MODEL, 125),
        (MODEL, 156),
    ]
    gaps = [later.changed_ns - earlier.changed_ns for earlier, later in pairwise(changes)]
    assert gaps == [15 * 60 * 10**9] * 2


async def test_old_changes_are_forgotten_but_for_what_holds(database: Database) -> None:
    """What was enforced a month ago can still be told."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    for _ in range(35):
        use(desk, 1, 900)
        await keeper.save()
    desk.clock.advance(40 * 86_400)
    await keeper.open()
    changes = await LimitRecords(database).changes("acme", until_ns=desk.clock.wall_ns())
    assert [change.limits.generated_tokens_per_minute for change in changes] == [156]


async def test_what_cannot_be_written_is_written_later(database: Database) -> None:
    """Nothing of it is lost."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    use(desk, 3, 900)
    await database.write(lambda connection: connection.execute("ALTER TABLE adaptive_limits RENAME TO gone"))
    with pytest.raises((InternalError, sqlite3.OperationalError)):
        await keeper.save()
    await database.write(lambda connection: connection.execute("ALTER TABLE gone RENAME TO adaptive_limits"))
    await keeper.save()
    assert MODEL in await LimitRecords(database).states_of("acme")


async def test_many_are_written_in_parts(database: Database) -> None:
    """All of them, and whoever waits for the event loop comes between: each part is of another moment."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper = keeper_of(desk, database)
    await keeper.open()
    for number in range(600):
        desk.reserve(Estimate(0, 0, 0), account=f"tenant-{number}", counted_as=MODEL).release()
    saving = asyncio.create_task(keeper.save())
    while not saving.done():
        desk.clock.advance(1)
        await asyncio.sleep(0)
    await saving
    parts = database.reader.execute("SELECT count(*) FROM adaptive_limits GROUP BY saved_ns ORDER BY saved_ns")
    assert [count for (count,) in parts.fetchall()] == [256, 256, 88]


CUSTOM = CustomLimits(generated_tokens_per_minute=7)


async def test_fixed_limits_hold_and_never_adapt(database: Database) -> None:
    """At once, above ceilings too, over restarts and idle times; the others adapt beside them. Cleared, they adapt."""
    desk = Desk(RULES, limits=CEILINGS)
    keeper, fixed = keeper_of(desk, database), FixedLimits(database, desk.clock)
    await Accounts(database, desk.clock).open("acme")
    await keeper.open()
    assert limits_of(desk) == (1_000, 500, 100)
    await fixed.fix("acme", MODEL, CustomLimits(generated_tokens_per_minute=5_000_000))
    await keeper.refresh()
    assert limits_of(desk) == (1_000, 500, 5_000_000)
    use(desk, 16, 900)
    assert limits_of(desk) == (1_250, 625, 5_000_000)
    desk.clock.advance(4 * 86_400)
    assert limits_of(desk) == (1_000, 500, 5_000_000)
    await fixed.fix("acme", MODEL, CUSTOM)
    await keeper.refresh()
    assert limits_of(desk) == (1_000, 500, 7)
    assert await fixed.all() == {("acme", MODEL): CUSTOM}
    await fixed.free("acme", MODEL)
    await keeper.refresh()
    assert limits_of(desk) == (1_000, 500, 100)


async def test_what_cannot_be_fixed_is_refused(database: Database) -> None:
    """An account that is none, a bare name, nothing to fix, nothing to clear."""
    fixed = FixedLimits(database, Desk().clock)
    with pytest.raises(NotFound):
        await fixed.fix("acme", MODEL, CUSTOM)
    with pytest.raises(InvalidRequest):
        await fixed.fix("acme", "m", CUSTOM)
    with pytest.raises(InvalidRequest):
        await fixed.fix("acme", MODEL, CustomLimits())
    with pytest.raises(NotFound):
        await fixed.free("acme", MODEL)


async def test_a_round_extends_refreshes_and_saves(database: Database) -> None:
    """The last only when it is time to."""
    desk, extended = Desk(RULES, limits=CEILINGS), []
    await Accounts(database, desk.clock).open("acme")
    keeper, records = keeper_of(desk, database, extended), LimitRecords(database)
    await keeper.open()
    assert limits_of(desk)[2] == 100
    await FixedLimits(database, desk.clock).fix("acme", MODEL, CUSTOM)
    await keeper.look_after()
    assert limits_of(desk)[2] == 7
    assert await records.states_of("acme") == {}
    desk.clock.advance(60)
    await keeper.look_after()
    assert MODEL in await records.states_of("acme")
    assert extended == [1, 1]
