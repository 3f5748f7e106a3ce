"""Chooses among the replicas of one pool: least predicted prefill work.

    cost_s = backlog + pressure + weight x uncached part of this prompt / rate + evenness + dropped - discount

The backlog are prompt tokens that were sent there and are not computed yet, over the replica's learned rate; the
pressure is a little for its streams; evenness is for what it has computed beyond others; ``dropped`` is what a cache of
slots would lose. Being a session's home is worth a discount in that sum, never an override, so a home that is busy is
left. Of equals the one with the longer prefix wins.

Not all replicas are looked at: those that hold a prefix, the longest first and of one length those that will be done
first, the home, and the least busy. Any other has the least busy one's prefix at best, and more to do.

Sources: llm-d's scorers, Mooncake (Qin et al., FAST 2025), Preble (Srivatsa et al., 2025).
"""

from collections.abc import Collection, Sequence
from math import inf
from typing import Final

from servery.core.clock import Clock
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.commons import Commons
from servery.routing.contest import Contest
from servery.routing.desk import Desk
from servery.routing.evenness import Evenness
from servery.routing.least_busy import LeastBusy
from servery.routing.lookup import Lookup
from servery.routing.owners import Owners
from servery.routing.placement import Placement
from servery.routing.seat import Seat
from servery.routing.session_ring import SessionRing
from servery.routing.slot_cache import SlotCache, Turns
from servery.routing.weighed import Weighed
from servery.routing.wish import Wish

_OF_ONE_LENGTH: Final = 8
_WEIGHED_OF_ONE_LENGTH: Final = 3
"""Of so many that hold as much, so many are weighed, those that will be done first: a few choices are nearly as good as
all (Mitzenmacher, 2001)."""
_TRIES: Final = 3
_MOST_CACHE_TOKENS: Final = 1 << 27
"""Whatever an engine tells, no more than this is remembered of it."""
_REFRESH_EVERY: Final = 8
_FEW: Final = 16
_ANYWHERE: Final = Placement()
"""In a cache that shares blocks."""

_UNCACHED_WEIGHT: Final = 1.15
_MORE_PER_S: Final = 6.0
_MOST_WEIGHT: Final = 8.0
_SMOOTHING: Final = 0.05
"""What a token counts that must be computed again: a little more than its own time where a replica has nothing to do,
so that siblings wait for each other; and for each second that the least busy one has been busy of late so much more,
because all who come later wait for it too."""
_FADING: Final = 0.95
"""Of what a replica has computed, each time that it is looked at anew: about a hundred and fifty requests count."""


class PoolRouter:
    """``cache_tokens`` is believed to be the size of each prompt cache whose engine does not tell."""

    def __init__(self, pool: ReplicaPool, clock: Clock, *, cache_tokens: int, slot_isolation: bool) -> None:
        self.commons = Commons(clock, names=tuple(one.name for one in pool.replicas))
        self._pool = pool
        self._cache_tokens = cache_tokens
        self._slot_isolation = slot_isolation
        self._stamp = 0
        self._turn = 0
        self._ready = 0
        self._index = self.commons.index
        self._turns = Turns(slots=sum(len(one.slots or ()) for one in pool.replicas))
        self._ring = SessionRing([one.name for one in pool.replicas])
        self._desks: list[Desk] = []
        self._busy_s = 0.0
        self._evenness = Evenness()
        self._order = LeastBusy(self._desks, self._pressure_s) if len(pool.replicas) > 1 else None
        for number, replica in enumerate(pool.replicas):
            desk = Desk(replica, number=number, commons=self.commons, order=self._order)
            desk.slots = self._new_slots(replica)
            self._desks.append(desk)
            desk.put()
        self._slotted = [desk.number for desk in self._desks if desk.slots is not None]
        self._owners = Owners()
        self._away: dict[int, None] = {}
        for number in range(len(self._desks)):
            self._changed(number)
        pool.watch(self._changed)

    def forecast(self, wish: Wish) -> float:
        """How many tokens of the prompt are cached where most of it is, of what is known to be somewhere."""
        most = self._most_shared(self._index.look_up(wish.chain))
        if self._slotted:
            for number in self._with_slots(wish.owner):
                desk = self._desks[number]
                if desk.slots is not None and desk.replica.is_ready:
                    most = max(most, desk.slots.forecast(wish.owner, wish.chain).cached)
        return most / wish.units_per_token

    def seat(self, wish: Wish, avoid: Collection[str]) -> Seat | None:
        """A seat at the replica with the least cost; None when none has room."""
        now_s = self.commons.now_s()
        home = None if wish.session is None else self._home(wish.session)
        lookup, evenness = self._index.look_up(wish.chain), self._evenness
        weight = _UNCACHED_WEIGHT + _MORE_PER_S * self._busy_s
        is_shared = home is not None and not self.commons.home.is_alone
        contest = Contest(
            wish,
            lookup,
            home,
            avoid,
            now_s,
            names=self.commons.names,
            uncached_weight=weight if weight < _MOST_WEIGHT else _MOST_WEIGHT,
            least_computed=evenness.least_tokens,
            even_s=evenness.even_s(lookup, is_shared=is_shared),
            beginning_at=evenness.beginning_at(lookup, is_shared=is_shared),
        )
        self._weigh_likely(contest)
        if contest.best is None:
            self._weigh_all(contest)
        if contest.best is None and avoid:
            contest.avoid = ()
            self._weigh_all(contest)
        return None if contest.best is None else self._take(contest, contest.best)

    def _most_shared(self, lookup: Lookup) -> float:
        """The longest part that a replica holds which can serve; of one length not all are asked."""
        for level in lookup.levels:
            for number in level.first(_OF_ONE_LENGTH):
                desk = self._desks[number]
                if desk.is_sound or desk.replica.is_ready:
                    return level.reach
        return 0.0

    def _weigh_all(self, contest: Contest) -> None:
        contest.weighing.begin_anew()
        for desk in self._desks:
            contest.weigh(desk)

    def _weigh_likely(self, contest: Contest) -> None:
        """Those that may be the cheapest."""
        weighing = contest.weighing
        floor_s = self._weigh_least_busy(contest)
        self._busy_s += _SMOOTHING * (floor_s - self._busy_s)
        if contest.home is not None and not weighing.has(contest.home):
            contest.weigh(self._desks[contest.home])
        if self._slotted:
            for number in self._with_slots(contest.wish.owner):
                if not weighing.has(number):
                    contest.weigh(self._desks[number])
        if contest.lookup.levels:
            self._weigh_holders(contest, floor_s)

    def _weigh_holders(self, contest: Contest, floor_s: float) -> None:
        """Those that hold a part of the prompt; ``floor_s`` is how busy the least busy one is."""
        desks, weighing = self._desks, contest.weighing
        rate = self.commons.rate
        pools, own = rate.tokens_per_s, rate.fastest_own
        fastest = pools if pools > own else own
        units_per_s = contest.units_per_token * fastest
        levels = contest.lookup.levels
        least_s = contest.uncached_weight * (contest.length - levels[0].reach) / units_per_s - contest.now_s
        for level in levels:
            best, reach = contest.best, level.reach
            if floor_s + contest.uncached_weight * (contest.length - reach) / units_per_s >= contest.best_s:
                break  # even one that had nothing else to do would cost no less
            if best is not None and reach <= best.cached and best.busy_s <= floor_s:
                break  # none has more of it, and none less to do
            likely: list[tuple[float, int]] = []
            for number in level.first(_OF_ONE_LENGTH):
                if not weighing.has(number):
                    queue = desks[number].queue
                    likely.append((queue.since_s + queue.pending_tokens / fastest, number))
            if len(likely) > 1:
                likely.sort()
            for done_s, number in likely[:_WEIGHED_OF_ONE_LENGTH]:
                if done_s + least_s >= contest.best_s:
                    break  # nor can those that are done later
                contest.weigh(desks[number])

    def _weigh_least_busy(self, contest: Contest) -> float:
        """Returns how busy the least busy one is."""
        desks = self._desks
        self._turn += 1
        if self._turn % _REFRESH_EVERY == 0:  # what engines report changes without a word to us
            self._refresh(self._turn // _REFRESH_EVERY % len(desks))
        if self._order is None:
            weighed = contest.weigh(desks[0])
            return 0.0 if weighed is None else weighed.busy_s
        floor_s = inf
        for _ in range(_TRIES):
            full = False
            for number in self._order.least(contest.now_s):
                if contest.weighing.has(number):
                    continue
                weighed = contest.weigh(desks[number])
                if weighed is None:
                    desks[number].take_away()
                    self._away[number] = None
                    full = True
                elif weighed.busy_s < floor_s:
                    floor_s = weighed.busy_s
            if not full:
                return floor_s
        return 0.0 if floor_s == inf else floor_s

    def _refresh(self, number: int) -> None:
        """Each desk's turn comes again and again; with the first all are looked at."""
        desks = self._desks
        desks[number].computed_tokens *= _FADING
        desks[number].put()
        if number == 0:
            self._evenness.look(desks)

    def _take(self, contest: Contest, best: Weighed) -> Seat:
        self._stamp += 1
        wish = contest.wish
        number = best.number
        desk = self._desks[number]
        if desk.slots is not None:
            placement = desk.slots.enter(wish.owner, wish.chain)
            self._owners.used(wish.owner, number)
            return Seat(desk, contest, placement=placement, stay=None, stamp=self._stamp)
        beginning_at = contest.beginning_at
        if beginning_at is not None and number != beginning_at:
            tokens = (contest.lookup.levels[0].reach - best.cached) / wish.units_per_token
            self._evenness.moved(tokens, self._desks[beginning_at], desk)
        size = self._cache_size(desk.replica) * wish.units_per_token
        stay = self._index.enter(contest.lookup, number, stamp=self._stamp, size=size, oldest=desk.queue.oldest)
        return Seat(desk, contest, placement=_ANYWHERE, stay=stay, stamp=self._stamp)

    def _with_slots(self, owner: str) -> Sequence[int]:
        """The replicas with slots: all while they are few, else where the owner has been."""
        return self._slotted if len(self._slotted) <= _FEW else self._owners.replicas(owner)

    def _cache_size(self, replica: Replica) -> int:
        """In tokens: what the engine tells, else the catalog, else what is believed of all."""
        told = replica.load.cache_tokens if replica.load is not None else None
        return min(told or replica.occupancy.tokens_limit or self._cache_tokens, _MOST_CACHE_TOKENS)

    def _home(self, session: str) -> int | None:
        return self._ring.home(session, load=self._load, mean=self.commons.in_flight / max(1, self._ready))

    def _load(self, number: int) -> int | None:
        """What a replica has in flight that can serve."""
        desk = self._desks[number]
        return desk.occupancy.sequences if desk.is_sound or desk.replica.is_ready else None

    def _pressure_s(self, number: int) -> float:
        return self._desks[number].pressure_s

    def _new_slots(self, replica: Replica) -> SlotCache | None:
        if replica.slots is None:
            return None
        empty = replica.starts_empty or not self._slot_isolation
        return SlotCache(slots=replica.slots, turns=self._turns, empty=empty)

    def _changed(self, number: int) -> None:
        """A replica's state, limit or report; so there may be room again where there was none."""
        desk = self._desks[number]
        self._ready += desk.look_at_replica()
        if desk.incarnation != desk.replica.incarnation:
            desk.renew(self._new_slots(desk.replica))
        desk.look_at_report()
        for other in self._away:
            if self._desks[other].is_away:
                self._desks[other].put()
        self._away.clear()
