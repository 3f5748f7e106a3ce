"""The key ring: who is calling."""

from pathlib import Path

import pytest

from servery.core.caller import Caller
from servery.core.clock import ManualClock
from servery.core.errors import PreconditionFailed, Unauthenticated
from servery.store.database import Database
from servery.tenancy.accounts import Accounts, AccountState
from servery.tenancy.api_keys import ApiKeys
from servery.tenancy.key_ring import KeyRing, KeyRingLimits

MESSAGE = "The API key you provided is invalid."


@pytest.fixture
async def keys(database: Database, clock: ManualClock) -> ApiKeys:
    await Accounts(database, clock).open("acme")
    return ApiKeys(database, clock)


@pytest.fixture
def ring(database: Database, clock: ManualClock) -> KeyRing:
    return KeyRing(database, clock)


def is_refused(ring: KeyRing, secret: str) -> bool:
    try:
        ring.authenticate(secret)
    except Unauthenticated as error:
        return error.message == MESSAGE
    return False


async def test_a_key_tells_its_caller(keys: ApiKeys, ring: KeyRing) -> None:
    """The same caller from the database and from memory."""
    created = await keys.create("acme", admin=True)
    expected = Caller(account="acme", key_id=created.api_key.key_id, spend_tier=1, admin=True)
    assert [ring.authenticate(created.key) for _ in range(2)] == [expected, expected]


@pytest.mark.parametrize("secret", ["", "sv_", "sv_" + "A" * 43, "\ud800", "\x00", "sv_é"])
async def test_unknown_keys_are_refused(ring: KeyRing, secret: str) -> None:
    """Any text that is no key is refused with the one message."""
    assert is_refused(ring, secret)


async def test_a_key_works_until_it_expires(keys: ApiKeys, ring: KeyRing, clock: ManualClock) -> None:
    """At the nanosecond before its expiry it works, at that nanosecond it does not, remembered or not."""
    expires_ns = clock.wall_ns() + 1_000_000_000
    created = await keys.create("acme", expires_ns=expires_ns)
    ring.authenticate(created.key)
    clock.advance(0.999999999)
    assert clock.wall_ns() == expires_ns - 1
    assert not is_refused(ring, created.key)
    clock.advance(0.000000001)
    assert clock.wall_ns() == expires_ns
    assert is_refused(ring, created.key)


async def test_a_revoked_key_is_refused_within_the_refresh_interval(
    keys: ApiKeys, ring: KeyRing, clock: ManualClock, path: Path
) -> None:
    """Another process revokes a key that is remembered here: it is refused once the interval is over."""
    created = await keys.create("acme")
    ring.authenticate(created.key)
    async with Database.open(path) as other:
        await ApiKeys(other, clock).revoke("acme", created.api_key.key_id)
    assert not is_refused(ring, created.key)
    clock.advance(1)
    assert is_refused(ring, created.key)


async def test_refresh_forgets_at_once(keys: ApiKeys, ring: KeyRing) -> None:
    """Whoever made a change does not have to wait for the interval."""
    created = await keys.create("acme")
    ring.authenticate(created.key)
    await keys.revoke("acme", created.api_key.key_id)
    ring.refresh()
    assert is_refused(ring, created.key)


async def test_a_new_key_works_at_once(ring: KeyRing, database: Database, clock: ManualClock, path: Path) -> None:
    """A key that was presented in vain and is then created by another process works on the next call."""
    await Accounts(database, clock).open("acme")
    secret = "sv_" + "AQEB" * 10 + "AQE"
    assert is_refused(ring, secret)
    async with Database.open(path) as other:
        created = await ApiKeys(other, clock, random_bytes=lambda size: b"\x01" * size).create("acme")
    assert created.key == secret
    assert ring.authenticate(secret).account == "acme"


async def test_a_suspended_account_is_told_so(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Its keys are good, and may do nothing until it is active again."""
    created = await keys.create("acme")
    accounts = Accounts(database, clock)
    await accounts.set_state("acme", AccountState.SUSPENDED)
    for _ in range(2):
        with pytest.raises(PreconditionFailed):
            ring.authenticate(created.key)
    await accounts.set_state("acme", AccountState.ACTIVE)
    ring.refresh()
    assert ring.authenticate(created.key).account == "acme"


async def test_memory_is_bounded(keys: ApiKeys, database: Database, clock: ManualClock) -> None:
    """More keys than the limit are served; no more than the limit are remembered."""
    ring = KeyRing(database, clock, KeyRingLimits(cached_keys=3))
    secrets = [(await keys.create("acme")).key for _ in range(10)]
    for secret in secrets + secrets:
        ring.authenticate(secret)
    assert len(ring._known) == 3
    assert len(ring._last_used_ns) <= 4


async def test_last_use_is_written_in_batches(
    keys: ApiKeys, ring: KeyRing, database: Database, clock: ManualClock
) -> None:
    """Authentication writes nothing; the times of last use follow at intervals, or when asked for."""

    def last_used() -> list[int | None]:
        return [key.last_used_ns for key in keys.list("acme")]

    secrets = [(await keys.create("acme")).key for _ in range(2)]
    for secret in secrets:
        ring.authenticate(secret)
    first_ns = clock.wall_ns()
    assert last_used() == [None, None]
    assert database.queued_writes == 0
    clock.advance(60)
    ring.authenticate(secrets[0])
    await database.write(lambda connection: None)
    assert sorted(map(str, last_used())) == sorted([str(clock.wall_ns()), str(first_ns)])
    clock.advance(1)
    ring.authenticate(secrets[1])
    ring.record_last_uses()
    await database.write(lambda connection: None)
    assert {clock.wall_ns(), clock.wall_ns() - 1_000_000_000} == set(last_used())
