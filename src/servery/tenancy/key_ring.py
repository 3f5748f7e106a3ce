"""The key ring: from a presented secret to a caller, on every request."""

import hmac
from collections.abc import Mapping

import msgspec

from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.core.errors import PreconditionFailed, Unauthenticated
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.accounts import AccountState
from servery.tenancy.api_keys import secret_sha256

_REFUSAL = "The API key you provided is invalid."


class KeyRingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``cached_keys``: how many good keys are remembered. ``refresh_interval_s``: how long a change made by another
    process may go unnoticed. ``last_used_interval_s``: how often the times of last use are written down."""

    cached_keys: int = 65_536
    refresh_interval_s: float = 1.0
    last_used_interval_s: float = 60.0


class _KnownKey(msgspec.Struct, frozen=True):
    """A key that was good when it was read."""

    caller: Caller
    expires_ns: int | None
    suspended: bool


class KeyRing:
    """Authenticates on the event loop's thread, from memory when it can.

    Good keys are remembered by the hash of their secret, not the secret. Bad ones are not remembered: a key that was
    created a moment ago, by whatever process, works at once, and an unknown key costs one indexed read.
    """

    def __init__(self, database: Database, clock: Clock, limits: KeyRingLimits | None = None) -> None:
        queries = load_queries("servery.tenancy", "api_keys.sql")
        self._by_secret = queries["api_key_by_secret"]
        self._record_last_use = queries["record_last_use"]
        self._database = database
        self._clock = clock
        self._limits = limits or KeyRingLimits()
        self._revision = ConfigurationRevision()
        self._seen_revision = self._revision.current(database.reader)
        self._known: dict[bytes, _KnownKey] = {}
        self._last_used_ns: dict[str, int] = {}
        self._refresh_due_s = clock.monotonic_s() + self._limits.refresh_interval_s
        self._recording_due_s = clock.monotonic_s() + self._limits.last_used_interval_s

    def authenticate(self, presented: str) -> Caller:
        """The caller whose secret is ``presented``.

        Raises Unauthenticated, always with the same message, for a key that is unknown, revoked, or expired at this
        moment; PreconditionFailed for a good key of a suspended account.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._refresh_due_s:
            self.refresh()
        digest = secret_sha256(presented)
        key = self._known.get(digest) or self._read(digest)
        now_ns = self._clock.wall_ns()
        if key is None or (key.expires_ns is not None and now_ns >= key.expires_ns):
            raise Unauthenticated(_REFUSAL)
        if key.suspended:
            raise PreconditionFailed(f"The account {key.caller.account!r} is suspended.")
        self._last_used_ns[key.caller.key_id] = now_ns
        if now_s >= self._recording_due_s or len(self._last_used_ns) > self._limits.cached_keys:
            self.record_last_uses()
        return key.caller

    def refresh(self) -> None:
        """Forget what is remembered if accounts or keys have changed, in this process or another.

        ``authenticate`` does this by itself once per refresh interval; whoever has just made a change may not want
        to wait for that.
        """
        self._refresh_due_s = self._clock.monotonic_s() + self._limits.refresh_interval_s
        revision = self._revision.current(self._database.reader)
        if revision != self._seen_revision:
            self._seen_revision = revision
            self._known.clear()

    def record_last_uses(self) -> None:
        """Queue the times of last use noted since the last time, as one write; call it before closing the database.

        ``authenticate`` does this by itself at intervals. Needs a running event loop.
        """
        self._recording_due_s = self._clock.monotonic_s() + self._limits.last_used_interval_s
        if not self._last_used_ns:
            return
        noted: Mapping[str, int] = self._last_used_ns
        self._last_used_ns = {}

        def operation(connection: Connection) -> None:
            connection.executemany(
                self._record_last_use,
                [{"key_id": key_id, "last_used_ns": last_used_ns} for key_id, last_used_ns in noted.items()],
            )

        self._database.write_soon(operation)

    def _read(self, digest: bytes) -> _KnownKey | None:
        row = self._database.reader.execute(self._by_secret, {"secret_sha256": digest}).fetchone()
        if row is None:
            return None
        stored, key_id, account, expires_ns, revoked_ns, admin, spend_tier, state = row
        # The index was searched for a hash; how long that takes tells nothing about any secret. The comparison that
        # decides takes the same time wherever the two differ.
        if not hmac.compare_digest(stored, digest) or revoked_ns is not None:
            return None
        caller = Caller(account=account, key_id=key_id, spend_tier=spend_tier, admin=bool(admin))
        key = _KnownKey(caller, expires_ns, suspended=state == AccountState.SUSPENDED)
        if len(self._known) >= self._limits.cached_keys:
            del self._known[next(iter(self._known))]  # the one remembered longest: dicts keep their order
        self._known[digest] = key
        return key
