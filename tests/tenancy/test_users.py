"""Users of an account."""

import pytest

from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound, PreconditionFailed
from servery.core.role import Role
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.users import Users


@pytest.fixture
async def users(database: Database, clock: ManualClock) -> Users:
    await Accounts(database, clock).open("acme")
    return Users(database, clock)


async def test_an_account_begins_with_an_admin(users: Users) -> None:
    """So that there is somebody who can add others."""
    assert [(user.id, user.role) for user in await users.list("acme")] == [("default", Role.ADMIN)]


async def test_users_come_change_and_go(users: Users, clock: ManualClock) -> None:
    """What was not said stays; who is gone is not listed, and its id is not given to another."""
    clock.advance(1)
    eve = await users.create("acme", "eve", display_name="Eve", role=Role.INFERENCE_USER)
    assert await users.get("acme", "eve") == eve
    changed = await users.update("acme", "eve", email="eve@example.org")
    assert (changed.display_name, changed.email, changed.role) == ("Eve", "eve@example.org", Role.INFERENCE_USER)
    assert [user.id for user in await users.list("acme")] == ["default", "eve"]
    await users.delete("acme", "eve")
    assert [user.id for user in await users.list("acme")] == ["default"]
    for gone in (users.get("acme", "eve"), users.update("acme", "eve"), users.delete("acme", "eve")):
        with pytest.raises(NotFound):
            await gone
    with pytest.raises(AlreadyExists):
        await users.create("acme", "eve")


async def test_an_account_is_never_without_an_admin(users: Users) -> None:
    """The last one can be neither deleted nor made less."""
    with pytest.raises(PreconditionFailed):
        await users.delete("acme", "default")
    with pytest.raises(PreconditionFailed):
        await users.update("acme", "default", role=Role.USER)
    await users.create("acme", "eve", role=Role.ADMIN)
    await users.delete("acme", "default")
    assert [user.id for user in await users.list("acme")] == ["eve"]


async def test_ids_fit_into_resource_names(users: Users) -> None:
    """What could not stand in ``users/<id>`` is refused."""
    for user_id in ("", "Eve", "a/b"):
        with pytest.raises(InvalidRequest):
            await users.create("acme", user_id)
