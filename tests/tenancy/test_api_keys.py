"""API keys: shown once, kept as hashes."""

import logging
import re
from pathlib import Path

import pytest

from servery.core.clock import ManualClock
from servery.core.errors import InvalidRequest, NotFound
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import ApiKeys, secret_sha256
from servery.tenancy.users import Users


@pytest.fixture
async def keys(database: Database, clock: ManualClock) -> ApiKeys:
    await Accounts(database, clock).open("acme")
    return ApiKeys(database, clock)


async def test_a_secret_is_random_and_has_its_form(keys: ApiKeys) -> None:
    """``sv_`` and 43 URL-safe characters, never the same."""
    secrets = {(await keys.create("acme")).key for _ in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"sv_[A-Za-z0-9_-]{43}", secret) for secret in secrets)


async def test_randomness_comes_in_as_a_part(database: Database, clock: ManualClock, keys: ApiKeys) -> None:
    """The same random bytes make the same key."""
    created = await ApiKeys(database, clock, random_bytes=lambda size: b"\x01" * size).create("acme")
    assert created.key == "sv_" + "AQEB" * 10 + "AQE"
    assert created.api_key.key_id == "key_" + "01" * 12
    assert await keys.list("acme") == [created.api_key]


async def test_no_secret_is_on_the_disk(path: Path, clock: ManualClock) -> None:
    """Neither the database nor its log holds a secret's characters; they hold its hash."""
    async with Database.open(path) as database:
        await Accounts(database, clock).open("acme")
        created = await ApiKeys(database, clock).create("acme", display_name="for the test")
        stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"for the test" in stored
    assert secret_sha256(created.key) in stored
    assert created.key.encode() not in stored
    assert created.key[-20:].encode() not in stored


async def test_no_secret_is_in_a_repr_or_a_log(keys: ApiKeys, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever prints a created key by mistake does not give it away."""
    created = await keys.create("acme")
    logging.getLogger("test").warning("%r %s", created, created)
    shown = f"{created!r} {created} {created.__rich_repr__()} {caplog.text}"
    assert created.api_key.key_id in shown
    assert created.key[8:] not in shown


async def test_keys_are_listed_oldest_first(keys: ApiKeys, clock: ManualClock) -> None:
    """An account's keys, and no other's; what is listed is what was created."""
    first = await keys.create("acme", display_name="one", expires_ns=clock.wall_ns() + 1, admin=True)
    clock.advance(1)
    second = await keys.create("acme")
    assert await keys.list("acme") == [first.api_key, second.api_key]
    assert await keys.list("other") == []
    assert first.api_key.admin
    assert first.key.startswith(first.api_key.prefix)


async def test_revoking_is_idempotent(keys: ApiKeys, clock: ManualClock) -> None:
    """The moment of the first revocation stays. Another account's key cannot be revoked."""
    created = await keys.create("acme")
    await keys.revoke("acme", created.api_key.key_id)
    revoked_ns = clock.wall_ns()
    clock.advance(1)
    await keys.revoke("acme", created.api_key.key_id)
    assert [key.revoked_ns for key in await keys.list("acme")] == [revoked_ns]
    for account, key_id in (("acme", "key_unknown"), ("other", created.api_key.key_id)):
        with pytest.raises(NotFound):
            await keys.revoke(account, key_id)


async def test_keys_that_make_no_sense_are_refused(keys: ApiKeys, clock: ManualClock) -> None:
    """No key for nobody, and none that has expired before it begins."""
    with pytest.raises(NotFound):
        await keys.create("other")
    with pytest.raises(InvalidRequest):
        await keys.create("acme", expires_ns=clock.wall_ns())
    assert await keys.list("acme") == []


async def test_a_key_belongs_to_a_user(keys: ApiKeys, database: Database, clock: ManualClock) -> None:
    """Users see and revoke their own; the account's list has all; a user who is gone gets none."""
    users = Users(database, clock)
    await users.create("acme", "eve")
    own, first = await keys.create("acme", user="eve"), await keys.create("acme")
    assert await keys.list("acme", user="eve") == [own.api_key]
    assert await keys.list("acme") == sorted([own.api_key, first.api_key], key=lambda key: key.key_id)
    with pytest.raises(NotFound):
        await keys.revoke("acme", first.api_key.key_id, user="eve")
    await users.delete("acme", "eve")
    assert (await keys.list("acme", user="eve"))[0].revoked_ns == clock.wall_ns()
    with pytest.raises(NotFound):
        await keys.create("acme", user="eve")
