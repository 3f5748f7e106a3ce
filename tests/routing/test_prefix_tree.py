"""One tree of many caches, against as many plain caches of blocks."""

from collections import OrderedDict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from servery.routing.chain import block_chain
from servery.routing.holding import Holding
from servery.routing.prefix_tree import PrefixTree

REPLICAS = 3
LIMIT = 9


def hashed(blocks: list[int]) -> list[int]:
    """As engines do: each hash covers all before it."""
    return [hash(tuple(blocks[: end + 1])) for end in range(len(blocks))]


class PlainCache:
    """Blocks one by one, the least recently used forgotten first, a prompt's start last."""

    def __init__(self) -> None:
        self.blocks: OrderedDict[int, None] = OrderedDict()

    def use(self, links: list[int]) -> None:
        for link in reversed(links):
            self.blocks[link] = None
            self.blocks.move_to_end(link)
        while len(self.blocks) > LIMIT:
            self.blocks.popitem(last=False)

    def held(self, links: list[int]) -> int:
        return next((at for at, link in enumerate(links) if link not in self.blocks), len(links))


class TreeMachine(RuleBasedStateMachine):
    """Each replica's part of the tree is what a plain cache of its own would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = PrefixTree()
        self.holdings = {replica: Holding(LIMIT) for replica in range(REPLICAS)}
        self.plain = [PlainCache() for _ in range(REPLICAS)]
        self.stamp = 0

    @rule(replica=st.integers(0, REPLICAS - 1), blocks=st.lists(st.integers(0, 2), max_size=12))
    def use(self, replica: int, blocks: list[int]) -> None:
        links = hashed(blocks)
        chain = block_chain(links, block_tokens=1, length=len(links))
        self.stamp += 1
        self.tree.enter(chain, self.tree.path(chain), replica, self.holdings[replica], stamp=self.stamp)
        self.plain[replica].use(links)

    @rule(replica=st.integers(0, REPLICAS - 1))
    def lose_all(self, replica: int) -> None:
        self.tree.forget_all(replica, self.holdings[replica])
        self.plain[replica] = PlainCache()

    @rule(blocks=st.lists(st.integers(0, 2), max_size=12))
    def look_up(self, blocks: list[int]) -> None:
        links = hashed(blocks)
        path = self.tree.path(block_chain(links, block_tokens=1, length=len(links)))
        for replica, plain in enumerate(self.plain):
            nodes = [node.end for node in path.nodes if node.use_of(replica) is not None]
            held = max(nodes, default=0)
            if path.part is not None and path.part.use_of(replica) is not None:
                held = path.depth
            assert held == plain.held(links)

    @invariant()
    def holds_together(self) -> None:
        self.tree.check_integrity(self.holdings)


TestTreeMachine = TreeMachine.TestCase
TestTreeMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_what_hangs_beyond_a_lost_block_is_forgotten() -> None:
    """The chain that told of the loss stays, and so does what was used after it was sent."""
    tree, holding = PrefixTree(), Holding(100)
    chains = {
        name: block_chain(hashed(blocks), block_tokens=1, length=len(blocks))
        for name, blocks in {"a": [1, 2, 3, 4], "b": [1, 2, 3, 5], "c": [1, 9], "late": [1, 2, 3, 6]}.items()
    }
    for stamp, name in enumerate(["b", "c", "a", "late"], start=1):
        tree.enter(chains[name], tree.path(chains[name]), 0, holding, stamp=stamp)
    tree.forget_beside(chains["a"], 2, 0, holding, before=3)
    ends = {name: max(node.end for node in tree.path(chain).nodes) for name, chain in chains.items()}
    assert ends == {"a": 4, "b": 3, "c": 2, "late": 4}
    tree.check_integrity({0: holding})
    holding.limit = 0
    tree.make_room(0, holding)
    assert holding.size == 0
    tree.check_integrity({0: holding})


def test_memory_is_bounded_by_what_is_held() -> None:
    """However often the same is used, and whatever was forgotten."""
    tree, holding = PrefixTree(), Holding(50)
    for stamp in range(1, 2_000):
        links = hashed([stamp % 7, *range(stamp % 5)])
        chain = block_chain(links, block_tokens=1, length=len(links))
        tree.enter(chain, tree.path(chain), 0, holding, stamp=stamp)
    assert len(holding.ends) <= 2 * 50 + 64
    assert sum(1 for _ in tree._nodes()) <= 50
