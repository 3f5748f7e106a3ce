"""Where a prompt lies."""

from servery.core.acyclic import acyclic
from servery.routing.chain import Chain
from servery.routing.prefix_node import Holders, Use
from servery.routing.prefix_tree import Path


@acyclic
class Level:
    """The first ``reach`` of a prompt lies at the replicas that are both in ``holders`` and in ``also``, which may be
    the same."""

    __slots__ = ("also", "holders", "reach")

    def __init__(self, reach: float, holders: Holders, also: Holders) -> None:
        self.reach = reach
        self.holders = holders
        self.also = also

    def use_of(self, replica: int) -> Use | None:
        """The holder's last use of it; None where it does not lie."""
        use = self.holders.use_of(replica)
        if use is None or self.also is self.holders:
            return use
        return None if self.also.use_of(replica) is None else use

    def first(self, most: int) -> list[int]:
        """Replicas where it lies, of the first so many holders."""
        numbers = self.holders.first(most)
        if self.also is self.holders:
            return numbers
        return [number for number in numbers if self.also.use_of(number) is not None]


@acyclic
class Lookup:
    """``levels`` from the longest prefix down. A replica may be in several; the first counts. ``begun`` are those who
    were sent all up to the prompt's last message."""

    __slots__ = ("begun", "chain", "levels", "path")

    def __init__(self, chain: Chain, path: Path) -> None:
        self.chain = chain
        self.path = path
        self.levels: list[Level] = []
        self.begun: Holders | None = None

    @property
    def only_holder(self) -> int | None:
        """The replica where most of what is known of the prompt lies, if that is one alone."""
        levels = self.levels
        return levels[0].holders.only if levels else None

    @property
    def beginning_at(self) -> int | None:
        """The same, if most of what is known is a beginning from which two others at least have gone on, each in its
        own way. So it is no history that this prompt alone goes on from."""
        replica = self.only_holder
        if replica is None:
            return None
        holders, nodes = self.levels[0].holders, self.path.nodes
        if holders is self.begun:
            use = holders.use_of(replica)
            # sent there twice at least, each with a last message of its own
            return replica if use is not None and use.came != use.stamp else None
        children = nodes[-1].children if nodes and holders is nodes[-1] else None
        return replica if children is not None and len(children) > 1 else None

    def add(self, reach: float, holders: Holders, also: Holders) -> None:
        """In any order; of two that are as long, the later one comes first."""
        levels, place = self.levels, 0
        while place < len(levels) and levels[place].reach > reach:  # there are few
            place += 1
        levels.insert(place, Level(reach, holders, also))
