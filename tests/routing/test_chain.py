"""Chains of blocks: how much of two prompts they say is shared, against a count byte by byte."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servery.routing.chain import agreement, block_chain, text_chain

# Few letters, in runs, so that long common prefixes are common.
TEXTS = st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 2_000)), max_size=6).map(
    lambda runs: b"".join(letter * times for letter, times in runs)
)


def truly_shared(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def conversation(*messages: tuple[str, str]) -> bytes:
    return msgspec.json.encode([{"role": role, "content": text} for role, text in messages])


@given(TEXTS, TEXTS, TEXTS)
def test_a_shared_prefix_is_known_to_within_a_third(prefix: bytes, one: bytes, other: bytes) -> None:
    """Never more than the prompts really share, and less by at most a third, or the first block."""
    one, other = prefix + one, prefix + other
    ours, theirs = text_chain("o", one), text_chain("o", other)
    told = ours.covered(agreement(ours, theirs))
    true = truly_shared(one, other)
    assert true * 2 / 3 - 512 <= told <= true
    assert agreement(ours, theirs) == agreement(theirs, ours)


@given(TEXTS)
def test_owners_share_nothing(prompt: bytes) -> None:
    """The same prompt of two owners has links and marks that never agree."""
    ours, theirs = text_chain("ours", prompt), text_chain("theirs", prompt)
    assert agreement(ours, theirs) == 0
    assert ours.whole != theirs.whole


@given(TEXTS)
def test_a_prompt_shares_all_its_blocks_with_itself(prompt: bytes) -> None:
    """And no block reaches beyond it."""
    chain = text_chain("o", prompt)
    assert agreement(chain, text_chain("o", prompt)) == chain.blocks
    assert chain.covered(chain.blocks) <= chain.length == len(prompt)


def test_long_prompts_cost_few_blocks() -> None:
    """A megabyte is fewer than twenty-five; what is shorter than a block has none."""
    assert text_chain("o", b"x" * 1_000_000).blocks < 25
    assert text_chain("o", b"x" * 511).blocks == 0
    assert text_chain("o", b"x" * 512).blocks == 1


def test_a_conversation_goes_on_exactly_where_its_last_turn_ended() -> None:
    """The mark that the first turn leaves is the one that the second seeks, whatever blocks say."""
    turn = (("system", "s" * 301), ("user", "u" * 77))
    first = text_chain("o", conversation(*turn))
    second = text_chain("o", conversation(*turn, ("assistant", "a" * 55), ("user", "more")))
    assert first.whole is not None
    assert second.went_on == first.whole
    assert second.covered(agreement(first, second)) < first.whole[1] == first.length - 1


def test_questions_after_one_system_prompt_meet_where_it_ends() -> None:
    """Both seek and leave the mark at the beginning of their last message."""
    asked = [text_chain("o", conversation(("system", "s" * 1_000), ("user", word * 90))) for word in ("why", "how")]
    assert asked[0].begun == asked[1].begun
    assert asked[0].begun is not None
    assert asked[0].begun[1] > 1_000
    assert asked[0].went_on is None


@given(st.lists(st.text('{}"ab', max_size=40), min_size=2, max_size=5))
def test_braces_in_a_text_hide_no_message(texts: list[str]) -> None:
    """However many there are: the last message and the last answer are found where they begin."""
    prompt = conversation(*[(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)])
    chain = text_chain("o", prompt)
    last = prompt.rfind(b'{"role":"')
    answer = prompt.rfind(b'{"role":"assistant"', 0, last)
    assert chain.begun is not None
    assert chain.begun[1] == last - 1
    assert (chain.went_on[1] if chain.went_on else -1) == max(answer - 1, -1)


@given(st.lists(st.text('{}"ab', max_size=40), min_size=1, max_size=5), st.sampled_from([b"", b'[{"name":"t"}]']))
def test_who_tells_where_the_last_message_begins_gets_the_same_chain(texts: list[str], tools: bytes) -> None:
    """It is not looked for, whether the messages follow tools or not."""
    prompt = tools + conversation(*[(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)])
    told, found = text_chain("o", prompt, prompt.rfind(b'{"role":"')), text_chain("o", prompt)
    assert (told.links, told.whole, told.begun) == (found.links, found.whole, found.begun)
    assert told.went_on == found.went_on


def test_a_last_message_that_is_long_is_not_marked_where_it_begins() -> None:
    """Its blocks say enough: told or not."""
    prompt = conversation(("system", "s" * 100), ("user", "u" * 5_000))
    assert text_chain("o", prompt, prompt.rfind(b'{"role":"')).begun is None
    assert text_chain("o", prompt).begun is None


def test_nothing_is_marked_where_a_prompt_begins() -> None:
    """All prompts of one message would meet there, with nothing in common."""
    chain = text_chain("o", conversation(("user", "why " * 90)))
    assert chain.begun is chain.went_on is None
    assert chain.whole is not None


def test_every_gateway_makes_the_same_chain() -> None:
    """Links do not depend on the process: these are fixed for ever."""
    chain = text_chain("acme/", b"x" * 800)
    assert chain.links.hex() == "93314cca6c37463fd1d05738849baec9"


def test_blocks_that_were_hashed_elsewhere_are_counted_in_tokens() -> None:
    """The last may be shorter; conversions to tokens are exact."""
    chain = block_chain([7, 8, 9], block_tokens=512, length=1_100)
    assert [chain.covered(blocks) for blocks in range(4)] == [0, 512, 1_024, 1_100]
    assert chain.whole is chain.begun is chain.went_on is None
    assert agreement(chain, block_chain([7, 8, 10, 11], block_tokens=512, length=2_000)) == 2
