"""Takes a seat for a request: a replica, and a place in its prompt cache, for as long as the request is there."""

import msgspec

from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.block_cache import BlockCache
from servery.routing.cache_view import CacheView, Placement
from servery.routing.picker import Candidate, pick
from servery.routing.prefix import PrefixChain, prefix_chain
from servery.routing.session_home import session_home
from servery.routing.slot_cache import SlotCache, Turns

_EVERYBODY = "*"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What routing needs to know of a request. ``owner`` names who may share prompt-cache entries;
    ``generated_tokens`` are expected."""

    owner: str
    prompt: bytes
    bytes_per_token: float
    generated_tokens: float = 0.0
    session: str | None = None

    @property
    def resident_tokens(self) -> float:
        """What it will hold of a replica's KV cache at its end."""
        return len(self.prompt) / self.bytes_per_token + self.generated_tokens


class _View:
    """What is believed of one incarnation of a replica."""

    def __init__(self, incarnation: int, cache: CacheView) -> None:
        self.incarnation = incarnation
        self.cache = cache
        self.pending_prompt_tokens = 0.0


class Seat:
    """One in-flight share of a replica. ``first_byte`` is called when the prompt has been computed, ``erased`` when
    the slot that ``placement`` wanted empty is so."""

    def __init__(
        self,
        replica: Replica,
        placement: Placement,
        *,
        view: _View,
        owner: str,
        resident_tokens: float,
        pending_prompt_tokens: float,
    ) -> None:
        self.replica = replica
        self.placement = placement
        self.owner = owner
        self._view = view
        self._pending_prompt_tokens = pending_prompt_tokens
        view.pending_prompt_tokens += pending_prompt_tokens
        self._resident_tokens = resident_tokens
        replica.occupancy.enter(resident_tokens)

    def first_byte(self) -> None:
        self._view.pending_prompt_tokens -= self._pending_prompt_tokens
        self._pending_prompt_tokens = 0.0

    def erased(self) -> None:
        self._view.cache.erased(self.placement)

    def leave(self) -> None:
        """Once, when the request is over."""
        self.first_byte()
        self.replica.occupancy.leave(self._resident_tokens)
        self._view.cache.leave(self.placement)


class Router:
    """Chooses among a pool's replicas; remembers what it sent where. Without ``slot_isolation`` all owners share the
    prompt caches of engines that know no tenants, for operators who serve a single one."""

    def __init__(self, *, slot_isolation: bool) -> None:
        self._slot_isolation = slot_isolation
        self._views: dict[str, _View] = {}
        self._turns: dict[str, Turns] = {}

    def seat(self, pool: ReplicaPool, wish: Wish, *, avoid: frozenset[str] = frozenset()) -> Seat | None:
        """A seat, to be left by who took it; None when no replica has room. Replicas in ``avoid`` are taken only when
        there is no other."""
        owner = wish.owner if self._slot_isolation or not _has_slots(pool) else _EVERYBODY
        chain = prefix_chain(owner, wish.prompt)
        replica = self._choose(pool, wish, owner, chain, avoid)
        if replica is None:
            return None
        view = self._view(pool, replica)
        placement = view.cache.enter(owner, chain)
        uncached_bytes = max(0, len(wish.prompt) - placement.cached_bytes)
        return Seat(
            replica,
            placement,
            view=view,
            owner=wish.owner,
            resident_tokens=wish.resident_tokens,
            pending_prompt_tokens=uncached_bytes / wish.bytes_per_token,
        )

    def _choose(
        self, pool: ReplicaPool, wish: Wish, owner: str, chain: PrefixChain, avoid: frozenset[str]
    ) -> Replica | None:
        able = {one.name: one for one in pool.replicas if one.has_room_for(wish.resident_tokens)}
        able = {name: one for name, one in able.items() if name not in avoid} or able
        home = None
        if wish.session is not None:
            home = session_home(wish.session, (one.name for one in pool.replicas if one.is_ready))
        candidates = []
        for replica in able.values():
            view = self._view(pool, replica)
            forecast = view.cache.forecast(owner, chain)
            candidates.append(
                Candidate(
                    name=replica.name,
                    pending_prompt_tokens=view.pending_prompt_tokens,
                    uncached_prompt_tokens=max(0, len(wish.prompt) - forecast.cached_bytes) / wish.bytes_per_token,
                    dropped_tokens=forecast.dropped_bytes / wish.bytes_per_token,
                    in_flight=replica.in_flight,
                    is_home=replica.name == home,
                )
            )
        chosen = pick(candidates)
        return able[chosen.name] if chosen is not None else None

    def _view(self, pool: ReplicaPool, replica: Replica) -> _View:
        view = self._views.get(replica.name)
        if view is None or view.incarnation != replica.incarnation:
            view = _View(replica.incarnation, self._new_cache(pool, replica))
            self._views[replica.name] = view
        return view

    def _new_cache(self, pool: ReplicaPool, replica: Replica) -> CacheView:
        if replica.slots is None:
            return BlockCache()
        slots = sum(len(one.slots or ()) for one in pool.replicas)
        turns = self._turns.setdefault(pool.spec.name, Turns(slots=slots))
        return SlotCache(slots=replica.slots, turns=turns, empty=replica.starts_empty or not self._slot_isolation)


def _has_slots(pool: ReplicaPool) -> bool:
    return all(replica.slots is not None for replica in pool.replicas)
