"""Accounts."""

import pytest

from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts, AccountState


async def test_an_account_is_opened_once(database: Database, clock: ManualClock) -> None:
    """It can be read back as it was opened, and its id is taken."""
    accounts = Accounts(database, clock)
    opened = await accounts.open("acme", "Acme Inc.")
    assert opened == Account("acme", "Acme Inc.", 1, AccountState.ACTIVE, clock.wall_ns())
    assert accounts.get("acme") == opened
    with pytest.raises(AlreadyExists):
        await accounts.open("acme")
    assert accounts.get("acme") == opened


async def test_accounts_are_listed_by_id(database: Database, clock: ManualClock) -> None:
    """All of them, and none that does not exist."""
    accounts = Accounts(database, clock)
    for account_id in ("zebra", "acme"):
        await accounts.open(account_id)
    assert [account.id for account in accounts.list()] == ["acme", "zebra"]
    assert accounts.exists("acme")
    assert not accounts.exists("other")
    with pytest.raises(NotFound):
        accounts.get("other")


@pytest.mark.parametrize("account_id", ["", "Acme", "a/b", "-a", "a" * 64, "a b"])
async def test_an_id_fits_into_a_resource_name(database: Database, clock: ManualClock, account_id: str) -> None:
    """What could not stand in ``accounts/<id>/...`` is refused."""
    with pytest.raises(InvalidRequest):
        await Accounts(database, clock).open(account_id)


async def test_an_account_can_be_suspended_and_resumed(database: Database, clock: ManualClock) -> None:
    """Its state changes and nothing else does."""
    accounts = Accounts(database, clock)
    opened = await accounts.open("acme")
    suspended = await accounts.set_state("acme", AccountState.SUSPENDED)
    assert accounts.get("acme") == suspended != opened
    assert await accounts.set_state("acme", AccountState.ACTIVE) == opened
    with pytest.raises(NotFound):
        await accounts.set_state("other", AccountState.SUSPENDED)


async def test_every_change_moves_the_revision(database: Database, clock: ManualClock) -> None:
    """A platform can tell that something changed; what failed does not count."""
    accounts, revision = Accounts(database, clock), ConfigurationRevision()
    before = revision.current(database.reader)
    await accounts.open("acme")
    await accounts.set_state("acme", AccountState.SUSPENDED)
    with pytest.raises(AlreadyExists):
        await accounts.open("acme")
    assert revision.current(database.reader) == before + 2
