"""Chains of blocks: how much of two prompts they say is shared, against a count byte by byte."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.prefix import prefix_bytes, prefix_chain, shared_bytes

# Few letters, in runs, so that long common prefixes are common.
TEXTS = st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 700)), max_size=6).map(
    lambda runs: b"".join(letter * times for letter, times in runs)
)


def truly_shared(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@given(TEXTS, TEXTS, TEXTS)
def test_a_shared_prefix_is_known_to_within_an_eighth(prefix: bytes, one: bytes, other: bytes) -> None:
    """Never more than the prompts really share, and less by at most an eighth, or a block."""
    one, other = prefix + one, prefix + other
    told = shared_bytes(prefix_chain("o", one), prefix_chain("o", other))
    true = truly_shared(one, other)
    assert told <= true
    assert told >= true * 7 / 8 - 32
    assert told == shared_bytes(prefix_chain("o", other), prefix_chain("o", one))


@given(TEXTS)
def test_owners_share_nothing(prompt: bytes) -> None:
    """The same prompt of two owners has chains that never agree."""
    ours, theirs = prefix_chain("ours", prompt), prefix_chain("theirs", prompt)
    assert shared_bytes(ours, theirs) == 0
    assert not set(ours) & set(theirs)


@given(TEXTS)
def test_a_prompt_shares_all_its_blocks_with_itself(prompt: bytes) -> None:
    """And its chain covers what the number of its blocks says."""
    chain = prefix_chain("o", prompt)
    assert shared_bytes(chain, prefix_chain("o", prompt)) == prefix_bytes(len(chain)) <= len(prompt)


def test_long_prompts_cost_few_blocks() -> None:
    """A megabyte is fewer than a hundred."""
    assert len(prefix_chain("o", b"x" * 1_000_000)) < 100
    assert prefix_chain("o", b"x" * 31) == ()
    assert len(prefix_chain("o", b"x" * 32)) == 1
