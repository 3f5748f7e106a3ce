"""The key ring: from a presented secret to a caller, on every request."""

import hmac
from typing import Final

from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.core.errors import Overloaded, ServeryError, Unauthenticated
from servery.core.role import Role
from servery.core.suspend_state import SuspendState
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.api_keys import secret_sha256
from servery.tenancy.key_ring_limits import KeyRingLimits
from servery.tenancy.known_keys import KnownKey, KnownKeys

_REFUSAL: Final = "The API key you provided is invalid."


class KeyRing:
    """Authenticates on the event loop's thread, from memory when it can.

    Secrets are remembered by their hash: good keys until something about them changes, others for a moment, so that a
    client with a wrong key, however eager, costs the database one indexed read a second. While the database is away,
    keys that are known go on working, and nobody is told that a key is wrong.
    """

    def __init__(self, database: Database, clock: Clock, limits: KeyRingLimits | None = None) -> None:
        queries = load_queries("servery.tenancy", "api_keys.sql")
        self._by_secret = queries["api_key_by_secret"]
        self._of_account = queries["api_keys_to_remember"]
        self._record_last_use = BulkInsert(queries["record_last_use"])
        self._database = database
        self._monotonic_s = clock.monotonic_s
        self._wall_ns = clock.wall_ns
        self._limits = limits or KeyRingLimits()
        self._cached_keys = self._limits.cached_keys
        self._revision = AccountRevision()
        self._seen_revision = 0
        self._known = KnownKeys(
            keys_max=self._limits.cached_keys,
            refusals_max=self._limits.refused_keys,
            refusal_s=self._limits.refusal_s,
        )
        self._lookups = 0
        self._used: list[KnownKey] = []
        self._recording_due_s = self._monotonic_s() + self._limits.last_used_interval_s

    def find(self, presented: str) -> Caller | None:
        """The caller whose secret is ``presented``, if it is remembered; None: ``authenticate`` has to look it up.

        Raises Unauthenticated, always with the same message, for a key that is unknown, revoked, or expired at this
        moment.
        """
        return self.find_hashed(secret_sha256(presented))

    def find_hashed(self, digest: bytes) -> Caller | None:
        """As ``find``, for a secret of which ``digest`` is the ``secret_sha256``."""
        key = self._known.find(digest)
        if key is None:
            if self._known.is_refused(digest, self._monotonic_s()):
                raise Unauthenticated(_REFUSAL)
            return None
        return self._admitted(key)

    async def authenticate(self, presented: str) -> Caller:
        """As ``find``, from the database where need be. A good key of a suspended account is let in: what it may not
        do is for those who know what it wants.

        Raises Overloaded while the database cannot be asked, or too many unknown secrets are being looked up.
        """
        caller = self.find(presented)
        if caller is not None:
            return caller
        digest = secret_sha256(presented)
        key = await self._look_up(digest)
        if key is None:
            self._known.refuse(digest, self._monotonic_s())
            raise Unauthenticated(_REFUSAL)
        return self._admitted(key)

    async def refresh(self) -> list[str]:
        """Take notice of changes to accounts, users and keys, by this process or another; the ids of the accounts
        that have changed. Whoever has just made a change calls this; others can wait for the next of the platform's
        rounds. Until it returns, what was known holds."""
        seen = self._seen_revision

        def read(connection: Connection) -> tuple[int, list[str], list[_Row]]:
            current, accounts = self._revision.changes(connection, since=seen)
            rows = [
                row
                for account in accounts
                for row in connection.execute(self._of_account, {"account": account}).fetchall()
            ]
            return current, accounts, rows

        current, accounts, rows = await self._database.read(read)
        if current > self._seen_revision:
            self._seen_revision = current
            self._known.forget_refusals()
            for row in rows:
                self._known.renew(row[0], _known_key(row))
        return accounts

    def record_last_uses(self) -> None:
        """Queue the times of last use noted since the last time, as one write; call it before closing the database.

        Authentication does this by itself at intervals. Needs a running event loop.
        """
        self._recording_due_s = self._monotonic_s() + self._limits.last_used_interval_s
        if not self._used:
            return
        used = {key.caller.key_id: key.last_used_ns for key in self._used}  # one that was renewed was used last

        def operation(connection: Connection) -> None:
            self._record_last_use.run(connection, list(used.items()))

        try:
            self._database.write_soon(operation)
        except Overloaded:
            return  # the next time
        for key in self._used:
            key.is_used = False
        self._used = []

    def _admitted(self, key: KnownKey) -> Caller:
        now_ns = self._wall_ns()
        if key.expires_ns is not None and now_ns >= key.expires_ns:
            raise Unauthenticated(_REFUSAL)
        key.last_used_ns = now_ns
        if not key.is_used:
            key.is_used = True
            self._used.append(key)
        full = len(self._used) > self._cached_keys
        if full or self._monotonic_s() >= self._recording_due_s:
            self.record_last_uses()
        return key.caller

    async def _look_up(self, digest: bytes) -> KnownKey | None:
        if self._lookups >= self._limits.lookups:
            raise Overloaded("too many unknown API keys are being looked up, please try again", retry_after_s=1.0)
        self._lookups += 1
        seen = self._seen_revision
        try:
            row: _Row | None = await self._database.look_up(
                lambda connection: connection.execute(self._by_secret, {"secret_sha256": digest}).fetchone()
            )
        except ServeryError as error:
            raise Overloaded("API keys cannot be looked up now, please try again", retry_after_s=1.0) from error
        finally:
            self._lookups -= 1
        # The index was searched for a hash; how long that takes tells nothing about any secret. The comparison that
        # decides takes the same time wherever the two differ.
        if row is None or not hmac.compare_digest(bytes(row[0]), digest):
            return None
        key = _known_key(row)
        if key is not None and seen == self._seen_revision:  # else it may be what was before a change
            self._known.remember(digest, key)
        return key


_Row = tuple[bytes, str, str, str, int | None, int | None, int, str, int, int, str]
"""A row of the query ``api_key_by_secret``."""


def _known_key(row: _Row) -> KnownKey | None:
    """None for a key that was revoked."""
    _, key_id, account, user, expires_ns, revoked_ns, admin, role, spend_tier, funded, suspend_state = row
    if revoked_ns is not None:
        return None
    caller = Caller(
        account=account,
        key_id=key_id,
        spend_tier=spend_tier,
        admin=bool(admin),
        user=user,
        role=Role(role),
        funded=bool(funded),
        suspend_state=SuspendState(suspend_state),
    )
    return KnownKey(caller, expires_ns)
