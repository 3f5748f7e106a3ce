"""The replicas that serve one offer."""

from collections.abc import Callable

from servery.catalog.pool import Pool
from servery.fleet.replica import Replica


class ReplicaPool:
    """A pool of the catalog, running. ``capacity`` is how many requests may be in flight over all ready replicas."""

    def __init__(self, spec: Pool) -> None:
        self.spec = spec
        self._listeners: list[Callable[[], None]] = []
        self.replicas = [
            Replica(name=f"{spec.name}/{number}", concurrency=spec.concurrency, on_change=self._changed)
            for number in range(spec.replica_count)
        ]

    @property
    def capacity(self) -> int:
        return sum(replica.concurrency for replica in self.replicas if replica.is_ready)

    def listen(self, listener: Callable[[], None]) -> None:
        """``listener`` is called after each change of a replica's state."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
