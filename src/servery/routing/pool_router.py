"""Chooses among the replicas of one pool: least predicted prefill work.

    cost_s = backlog + pressure + weight x uncached part of this prompt / rate + dropped - discount

The backlog are prompt tokens that were sent there and are not computed yet, over the replica's learned rate; the
pressure is a little for its streams; ``dropped`` is what a cache of slots would lose. Being a session's home is worth a
discount in that sum, never an override, so a home that is busy is left. Of equals the one with the longer prefix wins.

Not all replicas are looked at: those that hold a prefix, the longest first and of one length no more than some, the
home, and the least busy. Any other has the least busy one's prefix at best, and more to do.

Sources: llm-d's scorers, Mooncake (Qin et al., FAST 2025), Preble (Srivatsa et al., 2025).
"""

from collections.abc import Collection, Sequence
from itertools import islice
from math import inf

from servery.core.clock import Clock
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.block_index import BlockIndex, Lookup
from servery.routing.decision import Weighed
from servery.routing.desk import Desk
from servery.routing.index_error import IndexErrorSum
from servery.routing.least_busy import LeastBusy
from servery.routing.owners import Owners
from servery.routing.placement import Placement
from servery.routing.prefill_rate import PoolRate
from servery.routing.seat import Seat
from servery.routing.session_ring import SessionRing
from servery.routing.slot_cache import SlotCache, Turns
from servery.routing.wish import Wish

UNCACHED_WEIGHT = 1.05
"""So much longer may siblings wait for each other: whoever comes second finds the prefix that the first computes."""
HOME_DISCOUNT_TOKENS = 1_024.0
_OF_ONE_LENGTH = 4
"""The one used longest ago is asked first, so the others are most likely busier; and a few choices are nearly as good
as all (Mitzenmacher, 2001)."""
_TRIES = 3
_REFRESH_EVERY = 8
_FEW = 16
_NONE: Weighed = (inf, inf, inf, -1, inf, inf, inf)


class Contest:
    """The replicas that are weighed for one request, by number; None for one that has no room."""

    __slots__ = ("avoid", "best", "home", "lookup", "now_s", "resident_tokens", "weighed", "wish")

    def __init__(self, wish: Wish, lookup: Lookup, home: int | None, avoid: Collection[str], now_s: float) -> None:
        self.wish = wish
        self.lookup = lookup
        self.home = home
        self.avoid = avoid
        self.now_s = now_s
        self.resident_tokens = wish.resident_tokens
        self.best = _NONE
        self.weighed: dict[int, Weighed | None] = {}


class PoolRouter:
    """``cache_tokens`` is believed to be the size of each prompt cache whose engine does not tell."""

    def __init__(self, pool: ReplicaPool, clock: Clock, *, cache_tokens: int, slot_isolation: bool) -> None:
        self.errors = IndexErrorSum()
        self._pool = pool
        self._clock = clock
        self._cache_tokens = cache_tokens
        self._slot_isolation = slot_isolation
        self._stamp = 0
        self._turn = 0
        self._mean = 0.0
        self._mean_until = 0
        self._fastest = 1.0
        self._index = BlockIndex()
        self._order = LeastBusy()
        self._turns = Turns(slots=sum(len(one.slots or ()) for one in pool.replicas))
        self._ring = SessionRing([one.name for one in pool.replicas])
        self._desks: list[Desk] = []
        rate = PoolRate()
        for number, replica in enumerate(pool.replicas):
            self._order.add()
            desk = Desk(replica, number=number, index=self._index, order=self._order, pool_rate=rate)
            desk.slots = self._new_slots(replica)
            desk.put()
            self._desks.append(desk)
        self._slotted = [desk.number for desk in self._desks if desk.slots is not None]
        self._owners = Owners()
        pool.listen(self._changed)

    def forecast(self, wish: Wish) -> float:
        """How many tokens of the prompt are cached where most of it is, of what is known to be somewhere."""
        lookup = self._index.look_up(wish.chain)
        most = 0.0
        for reach, holders, also in lookup.levels:
            if any(
                number in also and self._desks[number].replica.is_ready for number in islice(holders, _OF_ONE_LENGTH)
            ):
                most = reach
                break
        for number in self._with_slots(wish.owner):
            desk = self._desks[number]
            if desk.replica.is_ready:
                most = max(most, desk.forecast(wish, lookup)[0])
        return most / wish.units_per_token

    def seat(self, wish: Wish, avoid: Collection[str]) -> Seat | None:
        """A seat at the replica with the least cost; None when none has room."""
        home = None if wish.session is None else self._home(wish.session)
        contest = Contest(wish, self._index.look_up(wish.chain), home, avoid, self._clock.monotonic_s())
        self._weigh_likely(contest)
        if contest.best is _NONE:
            self._weigh_all(contest)
        if contest.best is _NONE and avoid:
            contest.avoid = ()
            self._weigh_all(contest)
        return None if contest.best is _NONE else self._take(contest)

    def _weigh_all(self, contest: Contest) -> None:
        for desk in self._desks:
            self._weigh(contest, desk)

    def _weigh_likely(self, contest: Contest) -> None:
        """Those that may be the cheapest."""
        desks, weighed = self._desks, contest.weighed
        floor_s = self._weigh_least_busy(contest)
        if contest.home is not None:
            self._weigh(contest, desks[contest.home])
        for number in self._with_slots(contest.wish.owner):
            self._weigh(contest, desks[number])
        length, s_per_unit = contest.wish.chain.length, UNCACHED_WEIGHT / (contest.wish.units_per_token * self._fastest)
        for reach, holders, also in contest.lookup.levels:
            if floor_s + (length - reach) * s_per_unit >= contest.best[0]:
                break  # even one that had nothing else to do would cost no less
            asked = 0
            for number in holders:
                if number not in weighed and number in also:
                    self._weigh(contest, desks[number])
                    asked += 1
                    if asked == _OF_ONE_LENGTH:
                        break

    def _weigh_least_busy(self, contest: Contest) -> float:
        """Returns how busy the least busy one is."""
        self._turn += 1
        if self._turn % _REFRESH_EVERY == 0:  # what engines report changes without a word to us
            self._desks[self._turn // _REFRESH_EVERY % len(self._desks)].put()
        floor_s = inf
        for _ in range(_TRIES):
            full = False
            for number in self._order.least(contest.now_s):
                weighed = self._weigh(contest, self._desks[number])
                if weighed is None:
                    self._desks[number].take_away()
                    full = True
                else:
                    floor_s = min(floor_s, weighed[4])
            if not full:
                return floor_s
        return 0.0 if floor_s == inf else floor_s

    def _weigh(self, contest: Contest, desk: Desk) -> Weighed | None:
        """None for a replica that has no room."""
        replica, wish = desk.replica, contest.wish
        if not replica.has_room_for(contest.resident_tokens) or (contest.avoid and replica.name in contest.avoid):
            contest.weighed[desk.number] = None
            return None
        cached, dropped = desk.forecast(wish, contest.lookup)
        rate = desk.queue.rate = desk.rate.tokens_per_s
        units_per_s = wish.units_per_token * rate
        busy_s = desk.busy_s(contest.now_s)
        dropped_s = dropped / units_per_s
        discount_s = HOME_DISCOUNT_TOKENS / rate if desk.number == contest.home else 0.0
        cost_s = busy_s + UNCACHED_WEIGHT * max(1.0, wish.chain.length - cached) / units_per_s + dropped_s - discount_s
        weighed = (cost_s, -cached, desk.computed_tokens, desk.number, busy_s, dropped_s, discount_s)
        contest.weighed[desk.number] = weighed
        contest.best = min(contest.best, weighed)
        if rate > self._fastest:  # noqa: PLR1730 a call of max costs more here than all else
            self._fastest = rate
        return weighed

    def _take(self, contest: Contest) -> Seat:
        self._stamp += 1
        wish = contest.wish
        best = contest.best
        number = best[3]
        desk = self._desks[number]
        if desk.slots is not None:
            stay, placement = None, desk.slots.enter(wish.owner, wish.chain)
            self._owners.used(wish.owner, number)
        else:
            size = self._cache_size(desk.replica) * wish.units_per_token
            stay = self._index.enter(contest.lookup, number, stamp=self._stamp, size=size, oldest=desk.queue.oldest)
            placement = Placement(cached=-best[1])
        return Seat(
            desk,
            wish,
            placement=placement,
            stay=stay,
            stamp=self._stamp,
            weighed=contest.weighed,
            desks=self._desks,
            index=self._index,
            errors=self.errors,
            clock=self._clock,
            now_s=contest.now_s,
        )

    def _mean_load(self) -> float:
        """Requests in flight at a replica that can serve. Of many replicas it is not summed anew for each request."""
        if self._turn >= self._mean_until:
            loads = [one.occupancy.sequences for one in self._pool.replicas if one.is_ready]
            self._mean = sum(loads) / max(1, len(loads))
            self._mean_until = self._turn + 1 + len(loads) // _FEW
        return self._mean

    def _with_slots(self, owner: str) -> Sequence[int]:
        """The replicas with slots: all while they are few, else where the owner has been."""
        return self._slotted if len(self._slotted) <= _FEW else self._owners.replicas(owner)

    def _cache_size(self, replica: Replica) -> int:
        """In tokens: what the engine tells, else the catalog, else what is believed of all."""
        told = replica.load.cache_tokens if replica.load is not None else None
        return told or replica.occupancy.tokens_limit or self._cache_tokens

    def _home(self, session: str) -> int | None:
        replicas = self._pool.replicas

        def load(number: int) -> int | None:
            replica = replicas[number]
            return replica.occupancy.sequences if replica.is_ready else None

        return self._ring.home(session, load=load, mean=self._mean_load())

    def _new_slots(self, replica: Replica) -> SlotCache | None:
        if replica.slots is None:
            return None
        empty = replica.starts_empty or not self._slot_isolation
        return SlotCache(slots=replica.slots, turns=self._turns, empty=empty)

    def _changed(self) -> None:
        for desk in self._desks:
            if desk.incarnation != desk.replica.incarnation:
                desk.renew(self._new_slots(desk.replica))
            if desk.is_away:
                desk.put()
