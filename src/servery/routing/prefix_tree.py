"""Which replicas hold which prefixes: one tree for all, so that looking a prompt up costs the same for 1 and 256.

    root ── system prompt ──┬── A's question ─── A's second turn        node: a run of blocks that nothing parts
            held by 0, 1, 2 │   held by 0        held by 0              holders: who has it all, and since when
                            └── B's question
                                held by 2

A path from the root spells the links of a prompt. Who holds a node holds all above it, so going down a path the holders
grow fewer, and the deepest are the best. Among the holders of a node the one that was used longest ago stands first.

Each replica forgets what it used longest ago, as engines do: a *stamp* is put on a whole path when it is used, and
``leaves`` remembers in order where the paths end. To make room the oldest end is taken, and from there upwards goes
all that bears the same stamp: what bears a later one has been used since, by another path. Of a long run only as much
goes as is needed, its end, because that is what engines drop first; a short one goes whole, because it costs less.

A radix tree with recency, as in SGLang's RadixAttention (Zheng et al., 2024), but of many caches at once.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Final

from servery.routing.chain import Chain, agreed

_SHORT_SHARE: Final = 0.125
"""A run that is a smaller part of what a replica holds goes whole."""


class Node:
    """The blocks ``start`` to ``end`` of ``chain``. ``holders``: for each replica that has them, the stamps of when it
    used them last and of when they came there."""

    __slots__ = ("chain", "children", "end", "holders", "parent", "start")

    def __init__(
        self, chain: Chain, start: int, end: int, parent: "Node | None", holders: dict[int, tuple[int, int]]
    ) -> None:
        self.chain = chain
        self.start = start
        self.end = end
        self.parent = parent
        self.holders = holders
        self.children: dict[int, Node] = {}

    @property
    def size(self) -> int:
        """In the chain's unit."""
        ends = self.chain.ends
        return ends[self.end - 1] - ends[self.start - 1] if self.start else ends[self.end - 1]


class Holding:
    """What one replica holds: how much, at most how much, and where its paths end, the one used longest ago first."""

    __slots__ = ("leaves", "limit", "size")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.size = 0
        self.leaves: OrderedDict[Node, int] = OrderedDict()


class Path:
    """A prompt's way down the tree: the ``nodes`` that it goes through whole, and ``part``, the node of which it shares
    the blocks up to ``depth`` only."""

    __slots__ = ("depth", "nodes", "part")

    def __init__(self, nodes: list[Node], depth: int, part: Node | None) -> None:
        self.nodes = nodes
        self.depth = depth
        self.part = part


class PrefixTree:
    """What replicas are believed to hold; they are numbers here."""

    def __init__(self) -> None:
        self._root = Node(Chain((), (), 0), 0, 0, None, {})

    def path(self, chain: Chain) -> Path:
        links, node, depth = chain.links, self._root, 0
        nodes: list[Node] = []
        last = len(links)
        while depth < last:
            child = node.children.get(links[depth])
            if child is None:
                break
            end, theirs = child.end, child.chain.links
            if end > last or theirs[depth:end] != links[depth:end]:
                return Path(nodes, agreed(links, theirs, depth + 1, min(end, last)), child)
            nodes.append(child)
            node, depth = child, end
        return Path(nodes, depth, None)

    def enter(self, chain: Chain, path: Path, replica: int, holding: Holding, *, stamp: int) -> None:
        """The whole chain lies there from now on; what was used longest ago makes room. Stamps only grow."""
        if path.part is not None:
            path.nodes.append(_split(path.part, path.depth))
            path.part = None
        nodes = path.nodes
        last = len(chain.links)
        for node in nodes:
            before = node.holders.pop(replica, None)
            if before is None:
                holding.size += node.size
                node.holders[replica] = (stamp, stamp)
            else:
                node.holders[replica] = (stamp, before[1])
        depth = path.depth
        if depth < last:
            parent = nodes[-1] if nodes else self._root
            leaf = Node(chain, depth, last, parent, {replica: (stamp, stamp)})
            parent.children[chain.links[depth]] = leaf
            holding.leaves[leaf] = stamp
            holding.size += leaf.size
        elif nodes:
            holding.leaves[nodes[-1]] = stamp
            holding.leaves.move_to_end(nodes[-1])
        if holding.size > holding.limit:
            self.make_room(replica, holding)

    def make_room(self, replica: int, holding: Holding) -> None:
        """Forget until what is held is within its limit."""
        while holding.size > holding.limit:
            leaf, stamp = holding.leaves.popitem(last=False)
            self._forget_upwards(leaf, stamp, replica, holding)

    def forget_beside(self, chain: Chain, blocks: int, replica: int, holding: Holding, *, before: int) -> None:
        """Forget what hangs from ``chain`` beyond its first ``blocks`` blocks and was last used before the stamp
        ``before``; the chain itself stays."""
        on_path = set(self.path(chain).nodes)
        for node in list(on_path):
            if node.end <= blocks or replica not in node.holders:
                continue
            for child in list(node.children.values()):
                used = _last_used(child, replica)
                if child not in on_path and used is not None and used < before:
                    self._forget_below(child, replica, holding)

    def withdraw(
        self, chain: Chain, blocks: int, replica: int, holding: Holding, *, stamp: int, void: Collection[int]
    ) -> None:
        """Of the prompt that came with ``stamp`` only the first ``blocks`` blocks were computed. What else it brought
        is not there, unless another has used it since; those ``void`` were withdrawn too."""
        path_end = None
        for node in reversed(self.path(chain).nodes):
            if node.end <= blocks:
                break
            used, came = node.holders.get(replica, (-1, -1))
            if came != stamp:
                continue
            is_used = used != stamp and used not in void
            if is_used or any(replica in child.holders for child in node.children.values()):
                node.holders[replica] = (used, used)
                continue
            if node.start < blocks:
                _split(node, blocks)
            path_end = node.parent
            holding.leaves.pop(node, None)
            self._drop(node, node.size, replica, holding)
        if path_end is not None:
            self._ends_at(path_end, replica, holding)

    def forget_all(self, replica: int, holding: Holding) -> None:
        for child in list(self._root.children.values()):
            if replica in child.holders:
                self._forget_below(child, replica, holding)
        holding.leaves.clear()
        assert holding.size == 0, "what was held is what was forgotten"

    def check_integrity(self, holdings: dict[int, Holding]) -> None:
        sizes = dict.fromkeys(holdings, 0)
        for node in self._nodes():
            parent = node.parent
            assert parent is not None, "only the root has none"
            assert parent.end == node.start < node.end, "runs follow each other"
            assert node.holders, "what nobody holds is forgotten"
            for replica, (stamp, came) in node.holders.items():
                assert came <= stamp, "what is used is there"
                sizes[replica] += node.size
                assert parent is self._root or parent.holders.get(replica, (-1,))[0] >= stamp, (
                    "who holds a node holds above"
                )
        for replica, holding in holdings.items():
            assert holding.size == sizes[replica], "sizes are kept"
            assert holding.size <= holding.limit, "there is a bound"

    def _nodes(self) -> Iterator[Node]:
        waiting = list(self._root.children.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children.values()

    def _forget_upwards(self, leaf: Node, stamp: int, replica: int, holding: Holding) -> None:
        node = leaf
        while (parent := node.parent) is not None:
            used = node.holders.get(replica)
            if used is None or used[0] != stamp:
                return
            excess, size = holding.size - holding.limit, node.size
            if excess <= 0 or (size > excess and size > holding.limit * _SHORT_SHARE):
                if excess > 0:
                    node = self._shorten(node, excess, replica, holding)
                if _last_used(node, replica) == stamp:
                    holding.leaves[node] = stamp
                    holding.leaves.move_to_end(node, last=False)
                return
            self._drop(node, size, replica, holding)
            node = parent

    def _shorten(self, node: Node, excess: float, replica: int, holding: Holding) -> Node:
        """Drop blocks of the node's end until as much as ``excess`` is gone; returns what is left of it."""
        ends, end = node.chain.ends, node.end
        cut = bisect_right(ends, ends[end - 1] - excess, 0, end)
        if cut <= node.start:
            assert node.parent is not None, "only the root has none"
            self._drop(node, node.size, replica, holding)
            return node.parent
        if len(node.holders) == 1 and not node.children:
            holding.size -= ends[end - 1] - ends[cut - 1]
            node.end = cut
            return node
        upper = _split(node, cut)
        self._drop(node, node.size, replica, holding)
        return upper

    def _forget_below(self, top: Node, replica: int, holding: Holding) -> None:
        waiting, found = [top], []
        while waiting:
            node = waiting.pop()
            if replica in node.holders:
                found.append(node)
                waiting += node.children.values()
        for node in reversed(found):
            holding.leaves.pop(node, None)
            self._drop(node, node.size, replica, holding)
        if top.parent is not None:
            self._ends_at(top.parent, replica, holding)

    def _ends_at(self, node: Node, replica: int, holding: Holding) -> None:
        """What hung from the node is gone: a path ends there now, if no other goes on from it."""
        if replica in node.holders:
            holding.leaves[node] = node.holders[replica][0]
            holding.leaves.move_to_end(node)

    def _drop(self, node: Node, size: int, replica: int, holding: Holding) -> None:
        """The replica no longer has the node, which is of that size. Those below it went before."""
        holders, parent = node.holders, node.parent
        del holders[replica]
        holding.size -= size
        if not holders:
            assert parent is not None, "only the root has none"
            assert not node.children, "who holds a node holds all above it"
            del parent.children[node.chain.links[node.start]]


def _last_used(node: Node, replica: int) -> int | None:
    stamps = node.holders.get(replica)
    return None if stamps is None else stamps[0]


def _split(node: Node, at: int) -> Node:
    """Part a run in two at block ``at``: the node keeps the lower part. Returns the upper, with the same holders."""
    parent = node.parent
    assert parent is not None, "the root is never parted"
    upper = Node(node.chain, node.start, at, parent, dict(node.holders))
    parent.children[node.chain.links[node.start]] = upper
    upper.children[node.chain.links[at]] = node
    node.start, node.parent = at, upper
    return upper
