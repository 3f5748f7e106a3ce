"""Which replicas hold something of an owner, in pools whose replicas have slots and are too many to look at all."""

from collections import OrderedDict
from typing import Final

OWNERS_MAX: Final = 16_384
_REPLICAS_MAX: Final = 8


class Owners:
    """The owners that came last, at most ``limit``, and of each the replicas that were used last."""

    def __init__(self, *, limit: int = OWNERS_MAX) -> None:
        self._limit = limit
        self._replicas: OrderedDict[str, OrderedDict[int, None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._replicas)

    def replicas(self, owner: str) -> tuple[int, ...]:
        return tuple(self._replicas.get(owner, ()))

    def used(self, owner: str, replica: int) -> None:
        replicas = self._replicas.setdefault(owner, OrderedDict())
        self._replicas.move_to_end(owner)
        replicas[replica] = None
        replicas.move_to_end(replica)
        if len(replicas) > _REPLICAS_MAX:
            replicas.popitem(last=False)
        if len(self._replicas) > self._limit:
            self._replicas.popitem(last=False)
