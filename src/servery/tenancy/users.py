"""Users: people and services that act for an account, each with a role."""

from collections.abc import Callable, Sequence

import msgspec

from servery.core.caller import FIRST_USER
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound, PreconditionFailed
from servery.core.resource_name import checked_resource_id
from servery.core.role import Role
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.place_in_list import Age
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user of ``account``. A service account is a user that is no person; its e-mail address is made up."""

    account: str
    id: str
    display_name: str = ""
    email: str = ""
    role: Role = Role.USER
    service_account: bool = False
    created_ns: int
    deleted_ns: int | None = None


class Users:
    """The users in the database. They are marked as deleted, never removed: usage records quote their keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.tenancy", "users.sql")
        self._insert = queries["insert_user"]
        self._by_id = queries["user_by_id"]
        self._of_account = queries["users_of_account"]
        self._page = queries["page_of_users"]
        self._count = queries["count_users"]
        self._update = queries["update_user"]
        self._revoke_keys = queries["revoke_keys_of_user"]
        self._database = database
        self._clock = clock
        self._revision = AccountRevision()

    async def create(
        self,
        account: str,
        user_id: str,
        *,
        display_name: str = "",
        email: str = "",
        role: Role = Role.USER,
        service_account: bool = False,
    ) -> User:
        """A new user of an account that exists. Raises InvalidRequest when ``user_id`` cannot be an id, and
        AlreadyExists when it is taken, also by a deleted user: what that one did stays told apart."""
        try:
            checked_resource_id(user_id)
        except ValueError as error:
            raise InvalidRequest(str(error), param="user_id") from None
        user = User(
            account=account,
            id=user_id,
            display_name=display_name,
            email=email,
            role=role,
            service_account=service_account,
            created_ns=self._clock.wall_ns(),
        )

        def operation(connection: Connection) -> User:
            self._revision.hold(connection)
            if connection.execute(self._by_id, {"account": account, "id": user_id}).fetchone() is not None:
                raise AlreadyExists(f"The user {user_id!r} exists, or has existed, in {account!r}.", param="user_id")
            self._add(connection, user)
            self._revision.touch(connection, account)
            return user

        return await self._database.change(operation)

    def add_first(self, connection: Connection, account: str, *, email: str = "") -> None:
        """The user that every account begins with: an admin. Within the transaction that opens the account."""
        first = User(account=account, id=FIRST_USER, email=email, role=Role.ADMIN, created_ns=self._clock.wall_ns())
        self._add(connection, first)

    async def update(
        self,
        account: str,
        user_id: str,
        *,
        display_name: str | None = None,
        email: str | None = None,
        role: Role | None = None,
    ) -> User:
        """Change what is not None. Raises NotFound, and PreconditionFailed when it would leave no admin."""

        def change(user: User) -> User:
            return msgspec.structs.replace(
                user,
                display_name=user.display_name if display_name is None else display_name,
                email=user.email if email is None else email,
                role=user.role if role is None else role,
            )

        return await self._database.change(lambda connection: self._change(connection, account, user_id, change))

    async def delete(self, account: str, user_id: str) -> None:
        """The user is gone, and its keys are revoked. Raises as ``update`` does."""
        now_ns = self._clock.wall_ns()

        def operation(connection: Connection) -> None:
            self._change(connection, account, user_id, lambda user: msgspec.structs.replace(user, deleted_ns=now_ns))
            connection.execute(self._revoke_keys, {"account": account, "id": user_id, "revoked_ns": now_ns})

        await self._database.change(operation)

    async def get(self, account: str, user_id: str) -> User:
        """Raises NotFound."""
        return await self._database.look_up(lambda connection: self.required(connection, account, user_id))

    def required(self, connection: Connection, account: str, user_id: str) -> User:
        """The user as ``connection`` sees it. Raises NotFound, also for a deleted one."""
        row = connection.execute(self._by_id, {"account": account, "id": user_id}).fetchone()
        if row is None or row[-1] is not None:
            raise NotFound(f"The account {account!r} has no user {user_id!r}.", param="user")
        return _user(row)

    def _add(self, connection: Connection, user: User) -> None:
        facts = msgspec.structs.asdict(user)
        del facts["deleted_ns"]
        connection.execute(self._insert, facts)

    def _change(self, connection: Connection, account: str, user_id: str, change: Callable[[User], User]) -> User:
        self._revision.hold(connection)
        after = change(self.required(connection, account, user_id))
        connection.execute(
            self._update,
            {
                "account": account,
                "id": user_id,
                "display_name": after.display_name,
                "email": after.email,
                "role": after.role,
                "deleted_ns": after.deleted_ns,
            },
        )
        if not any(user.role is Role.ADMIN for user in self._of(connection, account)):
            raise PreconditionFailed(f"{user_id!r} is the last admin of {account!r}.")
        self._revision.touch(connection, account)
        return after

    def _of(self, connection: Connection, account: str) -> list[User]:
        return [_user(row) for row in connection.execute(self._of_account, {"account": account}).fetchall()]

    async def list(self, account: str) -> list[User]:
        """The account's users, oldest first, without deleted ones."""
        return await self._database.look_up(lambda connection: self._of(connection, account))

    async def page(self, account: str, after: Age, most: int) -> Sequence[User]:
        """So many of those that ``list`` gives that follow a place."""
        chosen = {"account": account, "after_ns": after[0], "after_id": after[1], "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._page, chosen).fetchall())
        return [_user(row) for row in rows]

    async def count(self, account: str) -> int:
        """How many ``list`` gives."""
        chosen = {"account": account}
        row = await self._database.look_up(lambda connection: connection.execute(self._count, chosen).fetchone())
        return int(row[0])


def addresses_of_users(connection: Connection, account: str) -> dict[str, str]:
    """The e-mail address of each user of an account who has one, by id; also of those that are gone."""
    query = load_queries("servery.tenancy", "users.sql")["addresses_of_users"]
    return dict(connection.execute(query, {"account": account}).fetchall())


def _user(row: tuple[str, str, str, str, str, int, int, int | None]) -> User:
    account, user_id, display_name, email, role, service_account, created_ns, deleted_ns = row
    return User(
        account=account,
        id=user_id,
        display_name=display_name,
        email=email,
        role=Role(role),
        service_account=bool(service_account),
        created_ns=created_ns,
        deleted_ns=deleted_ns,
    )
