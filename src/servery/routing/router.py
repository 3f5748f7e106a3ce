"""Takes a seat for a request: a replica, and a place in its prompt cache, for as long as the request is there."""

from collections.abc import Collection
from typing import Final

from servery.core.clock import Clock
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.chain import Chain, owned_chain, owner_hash
from servery.routing.index_error import IndexErrorSum
from servery.routing.pool_router import PoolRouter
from servery.routing.seat import Seat
from servery.routing.wish import Wish

DEFAULT_CACHE_TOKENS: Final = 1_048_576
_EVERYBODY: Final = "*"
_KNOWN_OWNERS: Final = 16_384
"""So many are remembered at most; then all are forgotten."""


class Router:
    """Chooses among the replicas of each pool; remembers what it sent where.

    ``cache_tokens`` is believed to be the size of a replica's prompt cache where nobody tells. Without
    ``slot_isolation`` all owners share the prompt caches of engines that know no tenants, for operators who serve a
    single one.
    """

    def __init__(self, clock: Clock, *, slot_isolation: bool, cache_tokens: int = DEFAULT_CACHE_TOKENS) -> None:
        self._clock = clock
        self._slot_isolation = slot_isolation
        self._cache_tokens = cache_tokens
        self._pools: dict[str, PoolRouter] = {}
        self._accounts: dict[str, str] = {}
        self._hashes: dict[str, int] = {}

    def owner(self, pool: ReplicaPool, account: str, isolation_key: str | None) -> str:
        """Who may share prompt-cache entries with this caller, for ``Wish`` and for the chain."""
        if not self._slot_isolation and all(replica.slots is not None for replica in pool.replicas):
            return _EVERYBODY
        if isolation_key:
            return f"{account}/{isolation_key}"
        owner = self._accounts.get(account)
        if owner is None:
            if len(self._accounts) >= _KNOWN_OWNERS:
                self._accounts.clear()
            owner = self._accounts[account] = f"{account}/"
        return owner

    def chain(self, owner: str, prompt: bytes, last_message: int | None = None) -> Chain:
        """The prompt as routing sees it: made once for a request, for ``forecast`` and for its seats.
        ``last_message``: see ``text_chain``."""
        hashed = self._hashes.get(owner)
        if hashed is None:
            if len(self._hashes) >= _KNOWN_OWNERS:
                self._hashes.clear()
            hashed = self._hashes[owner] = owner_hash(owner)
        return owned_chain(hashed, prompt, last_message)

    def forecast(self, pool: ReplicaPool, wish: Wish) -> float:
        """How many tokens of the prompt are cached at the replica that has most of it; never more than there are."""
        return self._pool(pool).forecast(wish)

    def seat(self, pool: ReplicaPool, wish: Wish, *, avoid: Collection[str] = ()) -> Seat | None:
        """A seat, to be left by who took it; None when no replica has room. Replicas in ``avoid`` are taken only when
        there is no other."""
        return self._pool(pool).seat(wish, avoid)

    def errors(self) -> dict[str, IndexErrorSum]:
        """How good the predictions of cached tokens were, for each pool."""
        return {name: one.commons.errors for name, one in self._pools.items()}

    def _pool(self, pool: ReplicaPool) -> PoolRouter:
        found = self._pools.get(pool.name)
        if found is None:
            found = PoolRouter(pool, self._clock, cache_tokens=self._cache_tokens, slot_isolation=self._slot_isolation)
            self._pools[pool.name] = found
        return found
