"""The key ring: who is calling."""

import asyncio
from pathlib import Path

import pytest

from servery.core.caller import Caller
from servery.core.clock import ManualClock
from servery.core.errors import InternalError, Overloaded, PreconditionFailed, Unauthenticated
from servery.core.role import Role
from servery.core.suspend_state import SuspendState
from servery.store.database import Database, Operation
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import ApiKeys
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.key_ring_limits import KeyRingLimits
from servery.tenancy.users import Users

MESSAGE = "The API key you provided is invalid."


@pytest.fixture
async def keys(database: Database, clock: ManualClock) -> ApiKeys:
    await Accounts(database, clock).open("acme")
    return ApiKeys(database, clock)


@pytest.fixture
def ring(database: Database, clock: ManualClock) -> KeyRing:
    return KeyRing(database, clock)


class SlowReads:
    """A database whose short reads wait for ``answer``, or fail while it is ``away``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.answer = asyncio.Event()
        self.answer.set()
        self.away = False
        self.asked = 0

    async def look_up(self, operation: Operation[object]) -> object:
        self.asked += 1
        await self.answer.wait()
        if self.away:
            raise InternalError("The database is away.")
        return await self._database.look_up(operation)

    async def read(self, operation: Operation[object]) -> object:
        if self.away:
            raise InternalError("The database is away.")
        return await self._database.read(operation)

    def write_soon(self, operation: Operation[object]) -> None:
        if self.away:
            raise Overloaded("The database cannot keep up.")
        self._database.write_soon(operation)


async def is_refused(ring: KeyRing, secret: str) -> bool:
    try:
        await ring.authenticate(secret)
    except Unauthenticated as error:
        return error.message == MESSAGE
    return False


async def test_a_key_tells_its_caller(keys: ApiKeys, ring: KeyRing) -> None:
    """The same caller from the database and from memory."""
    created = await keys.create("acme", admin=True)
    expected = Caller(account="acme", key_id=created.api_key.key_id, spend_tier=1, admin=True)
    assert ring.find(created.key) is None, "nothing is known yet"
    assert await ring.authenticate(created.key) == expected
    assert ring.find(created.key) == expected


async def test_a_caller_has_a_user_and_a_role(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Those of the key's owner, as they are now."""
    users = Users(database, clock)
    await users.create("acme", "eve", role=Role.INFERENCE_USER)
    created = await keys.create("acme", user="eve")
    caller = await ring.authenticate(created.key)
    assert (caller.user, caller.role, caller.funded) == ("eve", Role.INFERENCE_USER, True)
    await users.update("acme", "eve", role=Role.CONTRIBUTOR)
    assert await ring.refresh() == ["acme"]
    assert ring.find(created.key).role is Role.CONTRIBUTOR


@pytest.mark.parametrize("secret", ["", "sv_", "sv_" + "A" * 43, "\ud800", "\x00", "sv_é"])
async def test_unknown_keys_are_refused(ring: KeyRing, secret: str) -> None:
    """Any text that is no key is refused with the one message, looked up or remembered."""
    assert await is_refused(ring, secret)
    with pytest.raises(Unauthenticated, match=MESSAGE):
        ring.find(secret)


async def test_a_key_works_until_it_expires(keys: ApiKeys, ring: KeyRing, clock: ManualClock) -> None:
    """At the nanosecond before its expiry it works, at that nanosecond it does not, remembered or not."""
    expires_ns = clock.wall_ns() + 1_000_000_000
    created = await keys.create("acme", expires_ns=expires_ns)
    await ring.authenticate(created.key)
    clock.advance(0.999999999)
    assert clock.wall_ns() == expires_ns - 1
    assert not await is_refused(ring, created.key)
    clock.advance(0.000000001)
    assert clock.wall_ns() == expires_ns
    assert await is_refused(ring, created.key)


async def test_a_revoked_key_is_refused_after_a_refresh(
    keys: ApiKeys, ring: KeyRing, clock: ManualClock, place: Path | str
) -> None:
    """Another process revokes a key that is remembered here; others of the account stay."""
    created, other_key = await keys.create("acme"), await keys.create("acme")
    for key in (created, other_key):
        await ring.authenticate(key.key)
    async with Database.open(place) as other:
        await ApiKeys(other, clock).revoke("acme", created.api_key.key_id)
    assert not await is_refused(ring, created.key)
    await ring.refresh()
    assert await is_refused(ring, created.key)
    assert ring.find(other_key.key) is not None


async def test_a_new_key_works_at_once(
    ring: KeyRing, database: Database, clock: ManualClock, place: Path | str
) -> None:
    """A key that was presented in vain and is then created by another process works within a second, and at once
    after a refresh."""
    await Accounts(database, clock).open("acme")
    secret = "sv_" + "AQEB" * 10 + "AQE"
    assert await is_refused(ring, secret)
    async with Database.open(place) as other:
        created = await ApiKeys(other, clock, random_bytes=lambda size: b"\x01" * size).create("acme")
    assert created.key == secret
    assert await is_refused(ring, secret), "for a moment"
    clock.advance(1)
    assert (await ring.authenticate(secret)).account == "acme"
    fresh = KeyRing(database, clock)
    await fresh.refresh()
    assert (await fresh.authenticate(secret)).account == "acme"


async def test_a_suspended_account_is_told_why(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Its keys are good, so that it can be helped; its inference is refused with the reason."""
    created = await keys.create("acme")
    accounts = Accounts(database, clock)
    await accounts.suspend("acme", SuspendState.FAILED_PAYMENTS)
    caller = await ring.authenticate(created.key)
    with pytest.raises(PreconditionFailed, match=r"acme is suspended: past invoices are not paid\."):
        caller.require_unsuspended()
    await accounts.resume("acme")
    await ring.refresh()
    ring.find(created.key).require_unsuspended()


async def test_memory_is_bounded(keys: ApiKeys, database: Database, clock: ManualClock) -> None:
    """More keys than the limit are served, more bad ones refused; no more than the limits are remembered."""
    ring = KeyRing(database, clock, KeyRingLimits(cached_keys=3, refused_keys=4))
    secrets = [(await keys.create("acme")).key for _ in range(10)]
    for secret in secrets + secrets:
        await ring.authenticate(secret)
    for number in range(10):
        assert await is_refused(ring, f"sv_{number}")
    assert (len(ring._known), ring._known.refusals) == (3, 4)
    assert len(ring._used) <= 4


async def test_a_wrong_key_costs_one_lookup_a_second(database: Database, clock: ManualClock) -> None:
    """However often it is presented."""
    slow = SlowReads(database)
    ring = KeyRing(slow, clock)
    for _ in range(100):
        assert await is_refused(ring, "sv_wrong")
    assert slow.asked == 1
    clock.advance(1)
    assert await is_refused(ring, "sv_wrong")
    assert slow.asked == 2


async def test_lookups_at_once_are_bounded(keys: ApiKeys, database: Database, clock: ManualClock) -> None:
    """Beyond the bound an unknown key is asked to come again; known ones do not notice."""
    slow = SlowReads(database)
    ring = KeyRing(slow, clock, KeyRingLimits(lookups=2))
    known = await keys.create("acme")
    await ring.authenticate(known.key)
    slow.answer.clear()
    waiting = [asyncio.create_task(is_refused(ring, f"sv_{number}")) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await ring.authenticate("sv_third")
    assert ring.find(known.key) is not None
    slow.answer.set()
    assert await asyncio.gather(*waiting) == [True, True]


async def test_what_was_read_before_a_change_is_not_remembered(
    keys: ApiKeys, database: Database, clock: ManualClock
) -> None:
    """A lookup that is overtaken by a refresh may be stale: it serves once."""
    created = await keys.create("acme")

    class Overtaken(SlowReads):
        async def look_up(self, operation: Operation[object]) -> object:
            row = await super().look_up(operation)
            await keys.revoke("acme", created.api_key.key_id)
            await ring.refresh()
            return row

    ring = KeyRing(Overtaken(database), clock)
    await ring.authenticate(created.key)
    assert ring.find(created.key) is None


async def test_while_the_database_is_away(keys: ApiKeys, database: Database, clock: ManualClock) -> None:
    """Known keys work on, times of last use are kept, and nobody is told that a key is wrong."""
    slow = SlowReads(database)
    ring = KeyRing(slow, clock)
    known, unknown = await keys.create("acme"), await keys.create("acme")
    await ring.authenticate(known.key)
    slow.away = True
    clock.advance(61)
    assert ring.find(known.key) is not None
    for secret in (unknown.key, "sv_wrong"):
        with pytest.raises(Overloaded):
            await ring.authenticate(secret)
    with pytest.raises(InternalError):
        await ring.refresh()
    slow.away = False
    assert (await ring.authenticate(unknown.key)).account == "acme"
    assert await is_refused(ring, "sv_wrong")
    clock.advance(61)
    ring.find(known.key)
    await database.write(lambda connection: None)
    assert all(key.last_used_ns is not None for key in await keys.list("acme"))


async def test_last_use_is_written_in_batches(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Authentication writes nothing; the times of last use follow at intervals, or when asked for."""

    async def last_used() -> list[int | None]:
        return [key.last_used_ns for key in await keys.list("acme")]

    secrets = [(await keys.create("acme")).key for _ in range(2)]
    for secret in secrets:
        await ring.authenticate(secret)
    first_ns = clock.wall_ns()
    assert await last_used() == [None, None]
    assert database.queued_writes == 0
    clock.advance(60)
    await ring.authenticate(secrets[0])
    await database.write(lambda connection: None)
    assert sorted(map(str, await last_used())) == sorted([str(clock.wall_ns()), str(first_ns)])
    clock.advance(1)
    await ring.authenticate(secrets[1])
    ring.record_last_uses()
    await database.write(lambda connection: None)
    assert {clock.wall_ns(), clock.wall_ns() - 1_000_000_000} == set(await last_used())


async def test_a_key_that_changed_between_two_uses_was_used_last(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Both uses are noted, before the change and after it; the later one counts."""
    secret = (await keys.create("acme")).key
    await ring.authenticate(secret)
    await Accounts(database, clock).update("acme", display_name="Acme")
    assert await ring.refresh() == ["acme"]
    clock.advance(1)
    await ring.authenticate(secret)
    ring.record_last_uses()
    await database.write(lambda connection: None)
    assert [key.last_used_ns for key in await keys.list("acme")] == [clock.wall_ns()]
