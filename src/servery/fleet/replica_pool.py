"""The replicas that serve one offer."""

from collections.abc import Callable

from servery.catalog.pool import Pool, UrlEngine
from servery.core.clock import Clock
from servery.core.engine_family import EngineFamily
from servery.engines.family import traits_of
from servery.fleet.occupancy import Occupancy
from servery.fleet.replica import CallLater, Replica, on_running_loop
from servery.fleet.share import Share


class ReplicaPool:
    """A pool of the catalog, running. ``traits`` tell what its engines can do. ``capacity`` is how many requests may be
    in flight over all replicas that can serve, as far as they are this gateway's ``share``. Making one does no I/O."""

    def __init__(
        self, spec: Pool, clock: Clock, *, share: Share | None = None, call_later: CallLater = on_running_loop
    ) -> None:
        self.spec = spec
        self.share = share or Share()
        self.traits = traits_of(spec.engine.family if isinstance(spec.engine, UrlEngine) else EngineFamily.LLAMA_CPP)
        self._listeners: list[Callable[[], None]] = []
        self.replicas = [
            Replica(
                name=f"{spec.name}/{number}",
                occupancy=self._occupancy(number),
                clock=clock,
                on_change=self._changed,
                call_later=call_later,
            )
            for number in range(spec.replica_count)
        ]
        self._next = 0

    @property
    def capacity(self) -> int:
        return sum(replica.capacity for replica in self.replicas)

    def find_room(self, tokens: float, *, first: Replica | None = None) -> Replica | None:
        """Any replica that has room for a request of so many resident tokens, ``first`` if it has; None when none has.
        The search goes on where the last one succeeded, so that it is short unless all are nearly full."""
        if first is not None and first.has_room_for(tokens):
            return first
        count = len(self.replicas)
        for step in range(count):
            at = (self._next + step) % count
            if self.replicas[at].has_room_for(tokens):
                self._next = at
                return self.replicas[at]
        return None

    def listen(self, listener: Callable[[], None]) -> None:
        """``listener`` is called after each change of a replica's state, limit or report. What its requests do to a
        replica's occupancy is known to those who send them."""
        self._listeners.append(listener)

    def _occupancy(self, number: int) -> Occupancy:
        """What replica ``number`` may have in hand of ours."""
        spec = self.spec
        places = len(self.share.places(spec.concurrency, replica=number))
        tokens = None if spec.kv_tokens is None else spec.kv_tokens * places // spec.concurrency
        return Occupancy(
            sequences_limit=places,
            tokens_limit=tokens,
            siblings_sequences=spec.concurrency - places,
            siblings_tokens=0 if spec.kv_tokens is None or tokens is None else spec.kv_tokens - tokens,
        )

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
