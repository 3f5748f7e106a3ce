"""Which replicas hold which prefixes: one tree for all, so that looking a prompt up costs the same for 1 and 256.

    root ── system prompt ──┬── A's question ─── A's second turn        node: a run of blocks that nothing parts
            held by 0, 1, 2 │   held by 0        held by 0              holders: who has it all, and since when
                            └── B's question
                                held by 2

A path from the root spells the links of a prompt. Who holds a node holds all above it, so going down a path the holders
grow fewer, and the deepest are the best. Among the holders of a node the one that was used longest ago stands first.

Each replica forgets what it used longest ago, as engines do. Whatever prompt is sent there is a *use* of the path; uses
are stamped, and a ``Holding`` remembers in order where they ended. To make room the oldest end is taken, and from there
upwards goes all that bears the same stamp: what bears a later one has been used since, by another path. Only as much
goes as is needed: of a long run the end, because that is what engines drop first.

A radix tree with recency, as in SGLang's RadixAttention (Zheng et al., 2024), but of many caches at once. Few and small
objects are kept of a prompt: what a decision costs is mostly waiting for memory.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator

from servery.core.acyclic import acyclic
from servery.routing.chain import LINK_BYTES, Chain, agreed
from servery.routing.holding import Holding
from servery.routing.prefix_node import Node, Use


@acyclic
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
        self._root = Node(b"", (), 0, 0, parent=None)

    def path(self, chain: Chain) -> Path:
        links, last = chain.links, chain.blocks
        node, depth = self._root, 0
        nodes: list[Node] = []
        while depth < last:
            start = depth * LINK_BYTES
            children = node.children
            child = None if children is None else children.get(links[start : start + LINK_BYTES])
            if child is None:
                break
            end = child.end
            stop = end * LINK_BYTES
            if end > last or child.links[start:stop] != links[start:stop]:
                return Path(nodes, agreed(links, child.links, depth + 1, min(end, last)), child)
            nodes.append(child)
            node, depth = child, end
        return Path(nodes, depth, None)

    def enter(self, chain: Chain, path: Path, replica: int, holding: Holding, *, stamp: int) -> None:
        """The whole chain lies there from now on; what was used longest ago makes room. Stamps only grow."""
        if path.part is not None:
            path.nodes.append(path.part.split(path.depth))
            path.part = None
        nodes, depth, last = path.nodes, path.depth, chain.blocks
        use: Use | None = None
        for node in nodes:
            before = node.use_of(replica)
            if before is None:
                holding.size += node.size
                use = Use(stamp, stamp)
            else:
                if before.end is node:
                    before.end = None
                use = Use(stamp, before.came)
            node.put_last(replica, use)
        if depth < last:
            parent = nodes[-1] if nodes else self._root
            leaf = Node(chain.links, chain.ends, depth, last, parent=parent)
            use = Use(stamp, stamp, leaf)
            leaf.put(replica, use)
            parent.add(leaf)
            holding.size += leaf.size
            holding.append(use)
        elif use is not None:
            use.end = nodes[-1]
            holding.append(use)
        if holding.size > holding.limit:
            self.make_room(replica, holding)

    def make_room(self, replica: int, holding: Holding) -> None:
        """Forget until what is held is within its limit."""
        while holding.size > holding.limit:
            use = holding.ends.popleft()
            if use.end is not None:
                self._forget_upwards(use.end, use.stamp, replica, holding)

    def forget_beside(self, chain: Chain, blocks: int, replica: int, holding: Holding, *, before: int) -> None:
        """Forget what hangs from ``chain`` beyond its first ``blocks`` blocks and was last used before the stamp
        ``before``; the chain itself stays."""
        on_path = set(self.path(chain).nodes)
        for node in list(on_path):
            if node.end <= blocks or node.use_of(replica) is None:
                continue
            for child in node.below:
                use = child.use_of(replica)
                if child not in on_path and use is not None and use.stamp < before:
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
            use = node.use_of(replica)
            if use is None or use.came != stamp:
                continue
            below = node.came_below(replica)
            if use.stamp != stamp and use.stamp not in void:
                use.came = use.stamp
                continue
            if below is not None:  # then it is there because of that
                use.came = below
                continue
            if node.start < blocks:
                node.split(blocks)
            path_end = node.parent
            self._drop(node, node.size, replica, holding)
        if path_end is not None:
            self._ends_at(path_end, replica, holding)

    def forget_all(self, replica: int, holding: Holding) -> None:
        for child in self._root.below:
            if child.use_of(replica) is not None:
                self._forget_below(child, replica, holding)
        holding.ends.clear()
        assert holding.size == 0, "what was held is what was forgotten"

    def check_integrity(self, holdings: dict[int, Holding]) -> None:
        sizes = dict.fromkeys(holdings, 0)
        for node in self._nodes():
            parent = node.parent
            assert parent is not None, "only the root has none"
            assert parent.end == node.start < node.end, "runs follow each other"
            assert node.count, "what nobody holds is forgotten"
            for replica, use in node.uses().items():
                assert use.came <= use.stamp, "what is used is there"
                sizes[replica] += node.size
                above = parent.use_of(replica)
                assert parent is self._root or (above is not None and above.stamp >= use.stamp), (
                    "who holds a node holds above"
                )
        for replica, holding in holdings.items():
            assert holding.size == sizes[replica], "sizes are kept"
            assert holding.size <= holding.limit, "there is a bound"

    def _nodes(self) -> Iterator[Node]:
        waiting = self._root.below
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.below

    def _forget_upwards(self, leaf: Node, stamp: int, replica: int, holding: Holding) -> None:
        node = leaf
        while (parent := node.parent) is not None:
            use = node.use_of(replica)
            if use is None or use.stamp != stamp:
                return
            excess, size = holding.size - holding.limit, node.size
            if size > excess:
                if excess > 0:
                    node = self._shorten(node, excess, replica, holding)
                use = node.use_of(replica)
                if use is not None and use.stamp == stamp:
                    use.end = node
                    holding.ends.appendleft(use)
                return
            self._drop(node, size, replica, holding)
            node = parent

    def _shorten(self, node: Node, excess: float, replica: int, holding: Holding) -> Node:
        """Drop blocks of the node's end until as much as ``excess`` is gone; returns what is left of it."""
        ends, end = node.ends, node.end
        cut = bisect_right(ends, ends[end - 1] - excess, 0, end)
        if cut <= node.start:
            assert node.parent is not None, "only the root has none"
            self._drop(node, node.size, replica, holding)
            return node.parent
        if node.count == 1 and not node.children:
            holding.size -= ends[end - 1] - ends[cut - 1]
            node.end = cut
            return node
        upper = node.split(cut)
        self._drop(node, node.size, replica, holding)
        return upper

    def _forget_below(self, top: Node, replica: int, holding: Holding) -> None:
        waiting, found = [top], []
        while waiting:
            node = waiting.pop()
            if node.use_of(replica) is not None:
                found.append(node)
                waiting += node.below
        for node in reversed(found):
            self._drop(node, node.size, replica, holding)
        if top.parent is not None:
            self._ends_at(top.parent, replica, holding)

    def _ends_at(self, last: Node, replica: int, holding: Holding) -> None:
        """What hung from the node is gone. A path ends there now, unless others go on from it; then it was used when
        the last of those was, and so were those above it."""
        node = last
        while (parent := node.parent) is not None:
            use = node.use_of(replica)
            if use is None or use.end is node:
                return
            stamp = node.used_below(replica)
            if stamp is None:
                ending = Use(use.stamp, use.came, node)
                node.put(replica, ending)
                holding.insert(ending)
                return
            if stamp == use.stamp:
                return
            node.put(replica, Use(stamp, min(stamp, use.came)))
            node = parent

    def _drop(self, node: Node, size: int, replica: int, holding: Holding) -> None:
        """The replica no longer has the node, which is of that size. Those below it went before."""
        use = node.use_of(replica)
        assert use is not None, "only who holds it drops it"
        if use.end is node:
            use.end = None
        node.drop(replica)
        holding.size -= size
        if not node.count:
            parent = node.parent
            assert parent is not None, "only the root has none"
            assert parent.children is not None, "it is one of them"
            assert not node.children, "who holds a node holds all above it"
            del parent.children[node.link(node.start)]
