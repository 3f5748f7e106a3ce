"""Where a prompt lies, from its longest part down."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.chain import text_chain
from servery.routing.lookup import Lookup
from servery.routing.prefix_node import Holders
from servery.routing.prefix_tree import PrefixTree


@given(st.lists(st.integers(0, 5), max_size=8))
def test_the_longest_part_comes_first(reaches: list[int]) -> None:
    """Of parts as long, the one that was found last: as sorting them all would put them."""
    chain = text_chain("acme", b"a prompt")
    lookup = Lookup(chain, PrefixTree().path(chain))
    found = [(float(reach), Holders()) for reach in reaches]
    for reach, holders in found:
        lookup.add(reach, holders, holders)
    expected = sorted(found, key=lambda one: one[0])[::-1]
    assert [(level.reach, level.holders) for level in lookup.levels] == expected
