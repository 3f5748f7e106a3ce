"""The replicas that serve one offer."""

from collections.abc import Callable
from functools import partial
from math import inf

from servery.catalog.pool import Pool
from servery.catalog.replica_spec import ReplicaSpec
from servery.core.clock import Clock
from servery.core.engine_features import honoured_by_all
from servery.fleet.occupancy import Occupancy
from servery.fleet.replica import CallLater, Replica, on_running_loop
from servery.fleet.share import Share


class ReplicaPool:
    """A pool of the catalog, running. ``honours`` are the optional features that work at all of its engines.
    ``capacity`` is how many requests may be in flight over all replicas that can serve, as far as they are this
    gateway's ``share``. Making one does no I/O."""

    def __init__(
        self, spec: Pool, clock: Clock, *, share: Share | None = None, call_later: CallLater = on_running_loop
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.share = share or Share()
        self.honours = honoured_by_all(engine.family for engine in spec.engines)
        self._listeners: list[Callable[[int], None]] = []
        self.replicas = [
            Replica(
                name=f"{spec.name}/{number}",
                slots=self._slots(one, number),
                starts_empty=one.url is None and self.share.count == 1,
                occupancy=self._occupancy(one, number),
                clock=clock,
                on_change=partial(self._changed, number),
                call_later=call_later,
            )
            for number, one in enumerate(spec.replica_specs())
        ]
        self._next = 0

    @property
    def capacity(self) -> int:
        return sum(replica.capacity for replica in self.replicas)

    def find_room(
        self, tokens: float, *, first: Replica | None = None, now_s: float = 0.0, ahead_s: float = inf
    ) -> Replica | None:
        """Any replica that has room for a request of so many resident tokens, ``first`` if it has; None when none has.
        One that has prompts to compute for longer than ``ahead_s`` has none.
        The search goes on where the last one succeeded, so that it is short unless all are nearly full."""
        likely = first or self.replicas[self._next]
        if likely.takes(tokens, now_s=now_s, ahead_s=ahead_s):
            return likely
        count = len(self.replicas)
        for step in range(count):
            at = (self._next + step) % count
            if self.replicas[at].takes(tokens, now_s=now_s, ahead_s=ahead_s):
                self._next = at
                return self.replicas[at]
        return None

    def find_idle_room(
        self, tokens: float, *, headroom: float, now_s: float = 0.0, ahead_s: float = inf
    ) -> Replica | None:
        """As ``find_room``, in a replica that keeps the share ``headroom`` of its limits free beside it."""
        for replica in self.replicas:
            is_free = replica.takes(tokens, now_s=now_s, ahead_s=ahead_s)
            if is_free and replica.occupancy.keeps_free(headroom, beside=tokens):
                return replica
        return None

    def late_s(self, tokens: float, *, now_s: float, ahead_s: float, ready: int = 0) -> float:
        """How soon ``find_room`` may succeed at more than ``ready`` replicas, or at one more, for no other reason than
        that prompts have been computed."""
        waits = [
            replica.occupancy.late_s(now_s, ahead_s=ahead_s)
            for replica in self.replicas
            if replica.has_room_for(tokens)
        ]
        if not ready:
            return min(waits, default=inf)
        return sorted(waits)[min(ready, len(waits) - 1)] if waits else inf

    def has_more_free_than(self, places: int) -> bool:
        """Whether more than so many requests could be sent now, counted in sequences. Looks no further than it must."""
        count, free = len(self.replicas), 0
        for step in range(count):
            replica = self.replicas[(self._next + step) % count]
            free += max(0, replica.capacity - replica.occupancy.busy_sequences)
            if free > places:
                return True
        return False

    def can_spare(self, tokens: float, *, places: int, ready: int, now_s: float, ahead_s: float) -> bool:
        """Whether, with a request of so many resident tokens sent there, at least so many places are free, and as many
        as ``ready`` replicas would still be found by ``find_room`` for one like it. Looks no further than it must."""
        if not self.has_more_free_than(places):
            return False
        takes, has_two = 0, False
        for replica in self.replicas:
            if replica.takes(tokens, now_s=now_s, ahead_s=ahead_s):
                takes += 1
                has_two = has_two or replica.capacity - replica.occupancy.busy_sequences > 1
                if takes + has_two > ready:
                    return True
        return False

    def listen(self, listener: Callable[[], None]) -> None:
        """``listener`` is called after each change of a replica's state, limit or report. What its requests do to a
        replica's occupancy is known to those who send them."""
        self._listeners.append(lambda _: listener())

    def watch(self, watcher: Callable[[int], None]) -> None:
        """As ``listen``; ``watcher`` is told the number of the replica."""
        self._listeners.append(watcher)

    def _slots(self, spec: ReplicaSpec, number: int) -> tuple[int, ...] | None:
        """The prompt-cache slots of replica ``number`` that are ours."""
        slots = spec.engine.slots
        return None if slots is None else tuple(self.share.places(slots, replica=number))

    def _occupancy(self, spec: ReplicaSpec, number: int) -> Occupancy:
        """What replica ``number`` may have in hand of ours."""
        places = len(self.share.places(spec.concurrency, replica=number))
        slots = self._slots(spec, number)
        if slots is not None:
            places = min(places, len(slots))
        tokens = None if spec.kv_tokens is None else spec.kv_tokens * places // spec.concurrency
        return Occupancy(
            sequences_limit=places,
            tokens_limit=tokens,
            siblings_sequences=spec.concurrency - places,
            siblings_tokens=0 if spec.kv_tokens is None or tokens is None else spec.kv_tokens - tokens,
        )

    def _changed(self, number: int) -> None:
        for listener in self._listeners:
            listener(number)
