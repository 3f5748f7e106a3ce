"""What is believed of an engine that shares blocks."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.block_cache import BlockCache
from servery.routing.prefix import prefix_bytes, prefix_chain

PROMPTS = st.lists(st.sampled_from([b"a" * 64, b"b" * 64, b"c" * 300]), max_size=6).map(b"".join)


def test_what_was_sent_is_believed_to_be_there() -> None:
    """Its whole blocks, for its owner, and for prompts that begin with it."""
    cache = BlockCache()
    chain = prefix_chain("A", b"x" * 640)
    assert cache.enter("A", chain).cached_bytes == 0
    assert cache.forecast("A", chain).cached_bytes == prefix_bytes(len(chain))
    longer = prefix_chain("A", b"x" * 640 + b"y" * 5_000)
    assert cache.forecast("A", longer).cached_bytes == prefix_bytes(len(chain))
    assert cache.forecast("B", prefix_chain("B", b"x" * 640)).cached_bytes == 0


@given(st.lists(PROMPTS, max_size=40))
def test_only_so_many_blocks_are_remembered(prompts: list[bytes]) -> None:
    """The bound holds always; the last prompt's start is never among what is forgotten."""
    cache = BlockCache(blocks=8)
    for prompt in prompts:
        chain = prefix_chain("A", prompt)
        cache.enter("A", chain)
        assert len(cache._held) <= 8
        assert cache.forecast("A", chain).cached_bytes == prefix_bytes(min(len(chain), 8))
