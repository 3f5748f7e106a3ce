"""A run of blocks in the tree of prefixes, and who holds it since when."""

from servery.routing.chain import LINK_BYTES


class Use:
    """When a replica was last sent something, and when it came there, as stamps. ``end`` is the node where the prompt
    ended, None where it went on, and once the node is used anew or forgotten."""

    __slots__ = ("came", "end", "stamp")

    def __init__(self, stamp: int, came: int, end: "Node | None" = None) -> None:
        self.stamp = stamp
        self.came = came
        self.end = end


class Node:
    """The blocks ``start`` to ``end`` of a prompt that has these ``links`` and ``ends``. ``holders``: for each replica
    that has them, its last use of them."""

    __slots__ = ("children", "end", "ends", "holders", "links", "parent", "start")

    def __init__(
        self,
        links: bytes,
        ends: tuple[int, ...],
        start: int,
        end: int,
        *,
        parent: "Node | None",
        holders: dict[int, Use],
    ) -> None:
        self.links = links
        self.ends = ends
        self.start = start
        self.end = end
        self.parent = parent
        self.holders = holders
        self.children: dict[bytes, Node] = {}

    @property
    def size(self) -> int:
        """In the chain's unit."""
        ends, start = self.ends, self.start
        return ends[self.end - 1] - ends[start - 1] if start else ends[self.end - 1]

    def link(self, at: int) -> bytes:
        """Of block ``at``; the first one's is the node's key among its parent's children."""
        return self.links[at * LINK_BYTES : (at + 1) * LINK_BYTES]

    def came_below(self, replica: int) -> int | None:
        """When the last of what the replica holds below it came there; None when that is nothing."""
        came: int | None = None
        for child in self.children.values():
            use = child.holders.get(replica)
            if use is not None and (came is None or use.came > came):
                came = use.came
        return came

    def used_below(self, replica: int) -> int | None:
        """When anything that the replica holds below it was used last."""
        stamp: int | None = None
        for child in self.children.values():
            use = child.holders.get(replica)
            if use is not None and (stamp is None or use.stamp > stamp):
                stamp = use.stamp
        return stamp

    def split(self, at: int) -> "Node":
        """Part it in two at block ``at``: it keeps the lower part. Returns the upper, with the same holders."""
        parent = self.parent
        assert parent is not None, "the root is never parted"
        upper = Node(self.links, self.ends, self.start, at, parent=parent, holders=dict(self.holders))
        parent.children[self.link(self.start)] = upper
        upper.children[self.link(at)] = self
        self.start, self.parent = at, upper
        return upper
