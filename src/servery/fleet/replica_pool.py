"""The replicas that serve one offer."""

from collections.abc import Callable

from servery.catalog.pool import Pool, UrlEngine
from servery.core.clock import Clock
from servery.core.engine_family import EngineFamily
from servery.engines.family import traits_of
from servery.fleet.replica import Replica


class ReplicaPool:
    """A pool of the catalog, running. ``traits`` tell what its engines can do. ``capacity`` is how many requests may be
    in flight over all replicas that can serve."""

    def __init__(self, spec: Pool, clock: Clock) -> None:
        self.spec = spec
        self.traits = traits_of(spec.engine.family if isinstance(spec.engine, UrlEngine) else EngineFamily.LLAMA_CPP)
        self._listeners: list[Callable[[], None]] = []
        self.replicas = [
            Replica(
                name=f"{spec.name}/{number}",
                concurrency=spec.concurrency,
                clock=clock,
                on_change=self._changed,
            )
            for number in range(spec.replica_count)
        ]

    @property
    def capacity(self) -> int:
        return sum(replica.capacity for replica in self.replicas)

    def listen(self, listener: Callable[[], None]) -> None:
        """``listener`` is called after each change of a replica's state."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
