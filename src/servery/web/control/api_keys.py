"""``/v1/accounts/{account}/users/{user}/apiKeys``: the keys of a user; without ``users/{user}``, of the account."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.control.account_watch import AccountWatch
from servery.control.open_account import create_key
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.store.database import Database
from servery.store.place_in_list import BEFORE_ALL_AGES
from servery.tenancy.api_keys import ApiKey, ApiKeys
from servery.web.control.access import key_scope
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.moment import wall_ns
from servery.web.control.nothing import Nothing
from servery.web.control.paged_list import PagedList


class KeyFields(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the creator of a key may say of it; without ``expire_time`` it does not expire."""

    display_name: str = ""
    expire_time: datetime | None = None


class NewKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../apiKeys``."""

    api_key: KeyFields = msgspec.field(default_factory=KeyFields)


class DeletedKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../apiKeys:delete``."""

    key_id: str


class KeyResource(msgspec.Struct, rename="camel"):
    """A key as it is shown; ``key``, the secret, only by its creation."""

    key_id: str
    display_name: str
    prefix: str
    create_time: str
    user: str
    key: str | UnsetType = UNSET
    expire_time: str | UnsetType = UNSET
    last_used: str | UnsetType = UNSET
    secure: bool = True


class ApiKeyEndpoints:
    """Handlers for API keys. Keys that may operate the platform are made at the command line alone."""

    def __init__(self, database: Database, clock: Clock, watch: AccountWatch) -> None:
        self._database = database
        self._clock = clock
        self._keys = ApiKeys(database, clock)
        self._watch = watch

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """The keys that have not been deleted, oldest first."""
        scope = key_scope(request, caller)
        keys = PagedList(
            page=partial(self._keys.page, scope.account, user=scope.user),
            count=partial(self._keys.count, scope.account, user=scope.user),
            place=lambda key: (key.created_ns, key.key_id),
            start=BEFORE_ALL_AGES,
        )
        return await Listing(request, KeyResource).paged_response("apiKeys", keys, _all_shown)

    async def create(self, request: Request, caller: Caller) -> KeyResource:
        scope = key_scope(request, caller)
        wanted = (await body_of(request, NewKey)).api_key
        expires_ns = None if wanted.expire_time is None else wall_ns(wanted.expire_time, param="expireTime")
        created = await create_key(
            self._database,
            self._clock,
            scope.account,
            open_if_new=False,
            user=scope.maker,
            display_name=wanted.display_name,
            expires_ns=expires_ns,
        )
        await self._watch.changed()
        return msgspec.structs.replace(_shown(created.api_key), key=created.key)

    async def delete(self, request: Request, caller: Caller) -> Nothing:
        """The key is refused from the next request on."""
        scope = key_scope(request, caller)
        wanted = await body_of(request, DeletedKey)
        await self._keys.revoke(scope.account, wanted.key_id, user=scope.user)
        await self._watch.changed()
        return Nothing()


def _shown(key: ApiKey) -> KeyResource:
    return KeyResource(
        key_id=key.key_id,
        display_name=key.display_name,
        prefix=key.prefix,
        create_time=rfc3339(key.created_ns),
        user=f"accounts/{key.account}/users/{key.user}",
        expire_time=UNSET if key.expires_ns is None else rfc3339(key.expires_ns),
        last_used=UNSET if key.last_used_ns is None else rfc3339(key.last_used_ns),
    )


async def _all_shown(keys: Sequence[ApiKey]) -> Sequence[KeyResource]:
    return list(map(_shown, keys))
