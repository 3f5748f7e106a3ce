"""API keys: secrets by which an account is known.

A secret is ``sv_`` and 256 random bits. Only its SHA-256 is kept. A fast hash is right for it: slow hashes (bcrypt,
Argon2) protect secrets that people think up and that can therefore be guessed; 2^256 equally likely secrets cannot,
however fast each guess is. A slow one would only be a way to keep this server busy.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence

import msgspec

from servery.core.caller import FIRST_USER
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest, NotFound
from servery.store.connection import Connection
from servery.store.database import Database, Operation
from servery.store.place_in_list import Age
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.accounts import Accounts
from servery.tenancy.users import Users

RandomBytes = Callable[[int], bytes]
"""Given a number, as many bytes that nobody can predict (``secrets.token_bytes``)."""

_SECRET_BYTES = 32
_KEY_ID_BYTES = 12
_PREFIX_LENGTH = 8  # "sv_" and five characters of 43: enough to tell keys apart, 226 bits still unknown


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a key of the user ``user``. ``prefix`` is the beginning of its secret; ``last_used_ns`` may
    lag by a minute. A key with ``admin`` may operate the platform."""

    key_id: str
    account: str
    user: str
    display_name: str
    prefix: str
    created_ns: int
    expires_ns: int | None
    revoked_ns: int | None
    admin: bool
    last_used_ns: int | None


class CreatedKey(msgspec.Struct, frozen=True):
    """A key at its creation: the only time when ``key``, the secret, is known. Its repr leaves the secret out."""

    key: str
    api_key: ApiKey

    def __repr__(self) -> str:
        return f"CreatedKey(api_key={self.api_key!r})"

    def __rich_repr__(self) -> list[tuple[str, ApiKey]]:
        return [("api_key", self.api_key)]


def secret_sha256(secret: str) -> bytes:
    """The 32 bytes by which a secret is stored and found. Takes any text, also such as no key can be."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class ApiKeys:
    """The keys in the database. They are created and revoked, never deleted: usage records quote them."""

    def __init__(self, database: Database, clock: Clock, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        queries = load_queries("servery.tenancy", "api_keys.sql")
        self._insert = queries["insert_api_key"]
        self._of_account = queries["api_keys_of_account"]
        self._page = queries["page_of_api_keys"]
        self._count = queries["count_api_keys"]
        self._revoke = queries["revoke_api_key"]
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes
        self._accounts = Accounts(database, clock)
        self._users = Users(database, clock)
        self._revision = AccountRevision()

    async def create(
        self,
        account: str,
        *,
        user: str = FIRST_USER,
        display_name: str = "",
        expires_ns: int | None = None,
        admin: bool = False,
    ) -> CreatedKey:
        """A new key of the account's ``user``. It works until ``expires_ns``, or until it is revoked.

        Raises NotFound when there is no such account or user, and InvalidRequest when the expiry is not in the future.
        """
        return await self._database.change(
            self.creating(account, user=user, display_name=display_name, expires_ns=expires_ns, admin=admin)
        )

    def creating(
        self,
        account: str,
        *,
        user: str = FIRST_USER,
        display_name: str = "",
        expires_ns: int | None = None,
        admin: bool = False,
    ) -> Operation[CreatedKey]:
        """What ``create`` does, as an operation, for those who do something else in the same transaction.

        Raises InvalidRequest at once; the operation raises NotFound.
        """
        created_ns = self._clock.wall_ns()
        if expires_ns is not None and expires_ns <= created_ns:
            raise InvalidRequest("A key's expiry lies in the future.", param="expires_ns")
        secret = "sv_" + base64.urlsafe_b64encode(self._random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
        api_key = ApiKey(
            key_id="key_" + self._random_bytes(_KEY_ID_BYTES).hex(),
            account=account,
            user=user,
            display_name=display_name,
            prefix=secret[:_PREFIX_LENGTH],
            created_ns=created_ns,
            expires_ns=expires_ns,
            revoked_ns=None,
            admin=admin,
            last_used_ns=None,
        )

        def operation(connection: Connection) -> CreatedKey:
            self._revision.hold(connection)  # a user who is being deleted gets no more keys
            self._accounts.required(connection, account)
            self._users.required(connection, account, user)
            facts = msgspec.structs.asdict(api_key)
            connection.execute(self._insert, {**facts, "secret_sha256": secret_sha256(secret)})
            self._revision.touch(connection, account)
            return CreatedKey(secret, api_key)

        return operation

    async def revoke(self, account: str, key_id: str, *, user: str | None = None) -> None:
        """The key is refused from now on (by a platform in another process: within its refresh interval). Revoking
        again changes nothing. Raises NotFound when the account, or its ``user`` where one is named, has no such key."""
        revoked_ns = self._clock.wall_ns()
        chosen = {"account": account, "key_id": key_id, "user": user, "revoked_ns": revoked_ns}

        def operation(connection: Connection) -> None:
            if connection.execute(self._revoke, chosen).rowcount == 0:
                owner = f"The account {account!r}" if user is None else f"The user {user!r} of {account!r}"
                raise NotFound(f"{owner} has no API key {key_id!r}.", param="key_id")
            self._revision.touch(connection, account)

        await self._database.change(operation)

    async def list(self, account: str, *, user: str | None = None) -> list[ApiKey]:
        """The keys of the account, or of one user, oldest first, with those revoked or expired; empty when there is no
        such account."""
        chosen = {"account": account, "user": user}
        rows = await self._database.look_up(lambda connection: connection.execute(self._of_account, chosen).fetchall())
        return [_api_key(row) for row in rows]

    async def page(self, account: str, after: Age, most: int, *, user: str | None = None) -> Sequence[ApiKey]:
        """So many of those that ``list`` gives, that are not revoked and follow a place."""
        chosen = {"account": account, "user": user, "after_ns": after[0], "after_id": after[1], "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._page, chosen).fetchall())
        return [_api_key(row) for row in rows]

    async def count(self, account: str, *, user: str | None = None) -> int:
        """How many of them are not revoked."""
        chosen = {"account": account, "user": user}
        row = await self._database.look_up(lambda connection: connection.execute(self._count, chosen).fetchone())
        return int(row[0])


def _api_key(
    row: tuple[str, str, str, str, str, int, int | None, int | None, int, int | None],
) -> ApiKey:
    key_id, account, user, display_name, prefix, created_ns, expires_ns, revoked_ns, admin, last_used_ns = row
    return ApiKey(
        key_id=key_id,
        account=account,
        user=user,
        display_name=display_name,
        prefix=prefix,
        created_ns=created_ns,
        expires_ns=expires_ns,
        revoked_ns=revoked_ns,
        admin=bool(admin),
        last_used_ns=last_used_ns,
    )
