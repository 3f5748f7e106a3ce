"""Accounts."""

import pytest

from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound
from servery.core.suspend_state import SuspendState
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.database import Database
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.accounts import Account, Accounts


async def test_an_account_is_opened_once(database: Database, clock: ManualClock) -> None:
    """It can be read back as it was opened, and its id is taken."""
    accounts = Accounts(database, clock)
    opened = await accounts.open("acme", "Acme Inc.")
    assert opened == Account(id="acme", display_name="Acme Inc.", created_ns=clock.wall_ns())
    assert await accounts.get("acme") == opened
    with pytest.raises(AlreadyExists):
        await accounts.open("acme")
    assert await accounts.get("acme") == opened


async def test_accounts_are_listed_by_id(database: Database, clock: ManualClock) -> None:
    """All of them, and none that does not exist."""
    accounts = Accounts(database, clock)
    for account_id in ("zebra", "acme"):
        await accounts.open(account_id)
    assert [account.id for account in await accounts.list()] == ["acme", "zebra"]
    assert await accounts.exists("acme")
    assert not await accounts.exists("other")
    with pytest.raises(NotFound):
        await accounts.get("other")


@pytest.mark.parametrize("account_id", ["", "Acme", "a/b", "-a", "a" * 64, "a b"])
async def test_an_id_fits_into_a_resource_name(database: Database, clock: ManualClock, account_id: str) -> None:
    """What could not stand in ``accounts/<id>/...`` is refused."""
    with pytest.raises(InvalidRequest):
        await Accounts(database, clock).open(account_id)


async def test_an_account_can_be_suspended_and_resumed(database: Database, clock: ManualClock) -> None:
    """Its state changes and nothing else does."""
    accounts = Accounts(database, clock)
    opened = await accounts.open("acme")
    suspended = await accounts.suspend("acme", SuspendState.FAILED_PAYMENTS)
    assert await accounts.get("acme") == suspended != opened
    assert await accounts.resume("acme") == opened
    with pytest.raises(NotFound):
        await accounts.suspend("other", SuspendState.FAILED_PAYMENTS)


async def test_every_change_moves_the_revision(database: Database, clock: ManualClock) -> None:
    """A platform can tell that something changed; what failed does not count."""
    accounts, revision = Accounts(database, clock), ConfigurationRevision()
    before = revision.current(database.reader)
    await accounts.open("acme")
    await accounts.suspend("acme", SuspendState.FAILED_PAYMENTS)
    with pytest.raises(AlreadyExists):
        await accounts.open("acme")
    assert revision.current(database.reader) == before + 2


async def test_a_platform_hears_which_accounts_changed(database: Database, clock: ManualClock) -> None:
    """Those after a revision, and no others; nothing changed is nothing told."""
    accounts, revision = Accounts(database, clock), AccountRevision()
    for account_id in ("acme", "beta"):
        await accounts.open(account_id)
    seen, changed = revision.changes(database.reader, since=0)
    assert changed == ["acme", "beta"]
    assert revision.changes(database.reader, since=seen) == (seen, [])
    await accounts.suspend("beta", SuspendState.FAILED_PAYMENTS)
    await accounts.suspend("beta", SuspendState.FAILED_PAYMENTS)
    assert revision.changes(database.reader, since=seen) == (seen + 1, ["beta"])
