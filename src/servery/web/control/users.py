"""``/v1/accounts/{account}/users``: who acts for an account."""

from collections.abc import Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.control.account_watch import AccountWatch
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.core.errors import InvalidRequest
from servery.core.role import Role
from servery.store.database import Database
from servery.store.place_in_list import BEFORE_ALL_AGES
from servery.tenancy.accounts import Accounts
from servery.tenancy.users import User, Users
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.nothing import Nothing
from servery.web.control.paged_list import PagedList


class UserFields(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the creator of a user may say of it. A service account's e-mail address is made up."""

    display_name: str = ""
    email: str = ""
    role: Role = Role.USER
    service_account: bool = False


class NewUser(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../users``."""

    user_id: str
    user: UserFields = msgspec.field(default_factory=UserFields)


class UserChanges(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``PATCH .../users/{user}``: what is absent stays."""

    display_name: str | None = None
    email: str | None = None
    role: Role | None = None


class UserResource(msgspec.Struct, rename="camel"):
    """A user as it is shown."""

    name: str
    display_name: str
    email: str
    role: Role
    service_account: bool
    create_time: str
    state: str = "READY"


class UserEndpoints:
    """Handlers for users. ``domain`` is the platform's, of which the addresses of service accounts are made."""

    def __init__(self, database: Database, clock: Clock, watch: AccountWatch, *, domain: str) -> None:
        self._accounts = Accounts(database, clock)
        self._users = Users(database, clock)
        self._watch = watch
        self._domain = domain

    async def list_all(self, request: Request, caller: Caller) -> Response:
        account = account_of(request, caller)
        users = PagedList(
            page=partial(self._users.page, account),
            count=partial(self._users.count, account),
            place=lambda user: (user.created_ns, user.id),
            start=BEFORE_ALL_AGES,
        )
        return await Listing(request, UserResource).paged_response("users", users, _all_shown)

    async def get(self, request: Request, caller: Caller) -> UserResource:
        return _shown(await self._users.get(account_of(request, caller), request.path_params["user"]))

    async def create(self, request: Request, caller: Caller) -> UserResource:
        account = (await self._accounts.get(account_of(request, caller))).id
        wanted = await body_of(request, NewUser)
        fields = wanted.user
        if fields.service_account and fields.email:
            raise InvalidRequest("a service account's email is made up; leave it out", param="email")
        made_up = f"{wanted.user_id}@{account}.sa.{self._domain}"
        created = await self._users.create(
            account,
            wanted.user_id,
            display_name=fields.display_name,
            email=made_up if fields.service_account else fields.email,
            role=fields.role,
            service_account=fields.service_account,
        )
        return _shown(created)

    async def update(self, request: Request, caller: Caller) -> UserResource:
        changes = await body_of(request, UserChanges)
        updated = await self._users.update(
            account_of(request, caller),
            request.path_params["user"],
            display_name=changes.display_name,
            email=changes.email,
            role=changes.role,
        )
        await self._watch.changed()
        return _shown(updated)

    async def delete(self, request: Request, caller: Caller) -> Nothing:
        """The user's keys are refused from the next request on."""
        await self._users.delete(account_of(request, caller), request.path_params["user"])
        await self._watch.changed()
        return Nothing()


def _shown(user: User) -> UserResource:
    return UserResource(
        name=f"accounts/{user.account}/users/{user.id}",
        display_name=user.display_name,
        email=user.email,
        role=user.role,
        service_account=user.service_account,
        create_time=rfc3339(user.created_ns),
    )


async def _all_shown(users: Sequence[User]) -> Sequence[UserResource]:
    return list(map(_shown, users))
