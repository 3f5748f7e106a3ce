"""A run of blocks in the tree of prefixes, and who holds it since when."""

from itertools import islice

from servery.routing.chain import LINK_BYTES


class Use:
    """When a replica was last sent something, and when it came there, as stamps. ``end`` is the node where the prompt
    ended, None where it went on, and once the node is used anew or forgotten."""

    __slots__ = ("came", "end", "stamp")

    def __init__(self, stamp: int, came: int, end: "Node | None" = None) -> None:
        self.stamp = stamp
        self.came = came
        self.end = end


class Holders:
    """The replicas that have something, and of each its last use of it. Who used it longest ago stands first.

    As a rule it is one, which stands here itself. A dictionary is kept only of more: what is forgotten was not looked
    at for long, and each piece of memory that it is made of is waited for.
    """

    __slots__ = ("_many", "_one", "_use")

    def __init__(self) -> None:
        self._one = 0
        self._use: Use | None = None
        self._many: dict[int, Use] | None = None

    @property
    def count(self) -> int:
        return int(self._use is not None) if self._many is None else len(self._many)

    @property
    def only(self) -> int | None:
        """The one that has it; None where that is nobody, or several."""
        many = self._many
        if many is not None:
            return next(iter(many)) if len(many) == 1 else None
        return None if self._use is None else self._one

    def use_of(self, replica: int) -> Use | None:
        if self._many is not None:
            return self._many.get(replica)
        return self._use if self._one == replica else None

    def first(self, most: int) -> list[int]:
        """At most so many of them."""
        if self._many is not None:
            return list(islice(self._many, most))
        return [] if self._use is None else [self._one]

    def uses(self) -> dict[int, Use]:
        """All of them. A copy."""
        if self._many is not None:
            return dict(self._many)
        return {} if self._use is None else {self._one: self._use}

    def put(self, replica: int, use: Use) -> None:
        """The replica has it by this use, and stands where it stood, or last."""
        if self._many is not None:
            self._many[replica] = use
        elif self._use is None or self._one == replica:
            self._one, self._use = replica, use
        else:
            self._many = {self._one: self._use, replica: use}
            self._use = None

    def put_last(self, replica: int, use: Use) -> None:
        """As ``put``; it stands last."""
        if self._many is not None:
            self._many.pop(replica, None)
        self.put(replica, use)

    def drop(self, replica: int) -> None:
        """The replica, if it had it, has it no more."""
        if self._many is not None:
            self._many.pop(replica, None)
        elif self._one == replica:
            self._use = None


class Node(Holders):
    """The blocks ``start`` to ``end`` of a prompt that has these ``links`` and ``ends``, and who holds them. What goes
    on from there are its ``children``, by their first links; None where nothing ever did."""

    __slots__ = ("children", "end", "ends", "links", "parent", "start")

    def __init__(self, links: bytes, ends: tuple[int, ...], start: int, end: int, *, parent: "Node | None") -> None:
        super().__init__()
        self.links = links
        self.ends = ends
        self.start = start
        self.end = end
        self.parent = parent
        self.children: dict[bytes, Node] | None = None

    @property
    def size(self) -> int:
        """In the chain's unit."""
        ends, start = self.ends, self.start
        return ends[self.end - 1] - ends[start - 1] if start else ends[self.end - 1]

    @property
    def below(self) -> "list[Node]":
        """Its children."""
        return [] if self.children is None else list(self.children.values())

    def link(self, at: int) -> bytes:
        """Of block ``at``; the first one's is the node's key among its parent's children."""
        return self.links[at * LINK_BYTES : (at + 1) * LINK_BYTES]

    def add(self, child: "Node") -> None:
        """It goes on there, instead of by what had the same first link."""
        if self.children is None:
            self.children = {}
        self.children[child.link(child.start)] = child

    def came_below(self, replica: int) -> int | None:
        """When the last of what the replica holds below it came there; None when that is nothing."""
        came: int | None = None
        for child in self.below:
            use = child.use_of(replica)
            if use is not None and (came is None or use.came > came):
                came = use.came
        return came

    def used_below(self, replica: int) -> int | None:
        """When anything that the replica holds below it was used last."""
        stamp: int | None = None
        for child in self.below:
            use = child.use_of(replica)
            if use is not None and (stamp is None or use.stamp > stamp):
                stamp = use.stamp
        return stamp

    def split(self, at: int) -> "Node":
        """Part it in two at block ``at``: it keeps the lower part. Returns the upper, with the same holders."""
        parent = self.parent
        assert parent is not None, "the root is never parted"
        upper = Node(self.links, self.ends, self.start, at, parent=parent)
        for replica, use in self.uses().items():
            upper.put(replica, use)
        parent.add(upper)
        self.start, self.parent = at, upper
        upper.add(self)
        return upper
