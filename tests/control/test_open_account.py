"""Opening an account, in tenancy and in the books."""

import asyncio
from pathlib import Path

import pytest

from servery.control.open_account import create_key, open_account
from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound
from servery.ledger.ledger import Ledger
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.key_ring import KeyRing


async def test_an_account_has_its_place_in_the_books(database: Database, clock: ManualClock) -> None:
    """A new account owes nothing, and the books say so."""
    account = await open_account(database, clock, "acme", display_name="Acme Inc.")
    assert await Accounts(database, clock).get("acme") == account
    assert Ledger(database, clock).balances_nanodollars() == {"accounts/acme": 0}
    with pytest.raises(AlreadyExists):
        await open_account(database, clock, "acme")


async def test_a_key_may_open_its_account(database: Database, clock: ManualClock) -> None:
    """The account is opened when it is new, and used when it is not; either way the key works."""
    for _ in range(2):
        created = await create_key(database, clock, "acme", open_if_new=True, admin=True)
        assert (await KeyRing(database, clock).authenticate(created.key)).account == "acme"
    assert Ledger(database, clock).balances_nanodollars() == {"accounts/acme": 0}


async def test_gateways_that_start_together_open_an_account_once(place: Path | str, clock: ManualClock) -> None:
    """Each gets a key of its own, and all of them work."""
    databases = [Database.open(place) for _ in range(6)]
    created = await asyncio.gather(*(create_key(one, clock, "acme", open_if_new=True) for one in databases))
    for database, key in zip(databases, created, strict=True):
        assert (await KeyRing(database, clock).authenticate(key.key)).account == "acme"
    assert Ledger(databases[0], clock).balances_nanodollars() == {"accounts/acme": 0}
    for database in databases:
        await database.close()


async def test_a_key_does_not_open_accounts_unasked(database: Database, clock: ManualClock) -> None:
    """What cannot be done leaves nothing behind."""
    with pytest.raises(NotFound):
        await create_key(database, clock, "acme", open_if_new=False)
    with pytest.raises(InvalidRequest):
        await create_key(database, clock, "Not An Id", open_if_new=True)
    with pytest.raises(InvalidRequest):
        await create_key(database, clock, "acme", open_if_new=True, expires_ns=clock.wall_ns())
    assert await Accounts(database, clock).list() == []
