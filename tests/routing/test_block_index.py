"""What is believed of engines that share blocks, and how reports correct it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servery.routing.block_index import BlockIndex, Stay
from servery.routing.chain import Chain, block_chain, text_chain
from servery.routing.marks import MARKS_MAX, Marks
from servery.routing.prefix_node import Use

PROMPTS = st.lists(st.sampled_from([b"a" * 640, b"b" * 640, b"c" * 300]), max_size=6).map(b"".join)


class Sender:
    """Sends prompts to an index, stamp after stamp."""

    def __init__(self, *, size: float = 1e9) -> None:
        self.index = BlockIndex()
        self.size = size
        self.stamp = 0

    def send(self, chain: Chain, *, to: int = 0, oldest: int | None = None) -> Stay:
        self.stamp += 1
        lookup = self.index.look_up(chain)
        return self.index.enter(lookup, to, stamp=self.stamp, size=self.size, oldest=oldest)

    def cached(self, chain: Chain, *, at: int = 0) -> float:
        return self.index.forecast(self.index.look_up(chain), at)[0]


def tokens(*blocks: int, size: int = 512) -> Chain:
    hashes = [hash(blocks[: end + 1]) for end in range(len(blocks))]
    return block_chain(hashes, block_tokens=size, length=size * len(blocks))


def conversation(*texts: str) -> Chain:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    return text_chain("A/", msgspec.json.encode(messages))


def test_what_was_sent_is_believed_to_be_there() -> None:
    """Its whole blocks, at that replica, and for prompts that begin with it."""
    sender = Sender()
    assert sender.send(tokens(1, 2, 3)).predicted == 0
    assert sender.cached(tokens(1, 2, 3)) == sender.cached(tokens(1, 2, 3, 4)) == 3 * 512
    assert sender.cached(tokens(1, 2, 9)) == 2 * 512
    assert sender.cached(tokens(1, 2, 3), at=1) == 0


@given(st.lists(st.tuples(PROMPTS, st.integers(0, 2), st.floats(0, 1)), max_size=30), st.integers(0, 4_000))
def test_predictions_never_exceed_the_prompt_nor_what_is_held_the_limit(
    steps: list[tuple[bytes, int, float]], size: int
) -> None:
    """Whatever is sent, answered and reported."""
    sender = Sender(size=size)
    for prompt, replica, share in steps:
        chain = text_chain("A/", prompt)
        stay = sender.send(chain, to=replica)
        assert 0 <= stay.predicted <= chain.length
        sender.index.answered(stay, 2_000 * share)
        sender.index.correct(stay, share * chain.length)
        sender.index.check_integrity()


def test_a_conversation_is_predicted_with_its_answer() -> None:
    """The engine's cache holds what it wrote, too."""
    sender = Sender()
    stay = sender.send(conversation("q" * 333))
    sender.index.answered(stay, 555)
    later = conversation("q" * 333, "a" * 555, "and then?")
    first_turn = later.went_on
    assert first_turn is not None
    assert sender.cached(later) == first_turn[1] + 555
    assert sender.cached(conversation("other" * 70, "a" * 555, "and then?")) == 0


def test_a_prompt_that_comes_again_is_found_to_its_end() -> None:
    """Whole blocks would say less; another owner's is not it."""
    sender = Sender()
    sender.send(text_chain("A/", b"x" * 8_000))
    assert sender.cached(text_chain("A/", b"x" * 8_000)) == 8_000
    assert sender.cached(text_chain("A/", b"x" * 8_001)) == 6_144
    assert sender.cached(text_chain("B/", b"x" * 8_000)) == 0


def test_what_lies_behind_whole_blocks_takes_its_room() -> None:
    """Of ten prompts that are two thirds blocks, seven fill a cache of seven, though their blocks would leave room."""
    sender = Sender(size=7 * 6_000)
    prompts = [text_chain("A/", bytes([letter]) * 6_000) for letter in range(10)]
    for prompt in prompts:
        sender.send(prompt)
    assert sum(sender.cached(prompt) for prompt in prompts) <= 7 * 6_000


def test_a_mark_counts_only_with_the_blocks_before_it() -> None:
    """When they are forgotten, what followed them is too."""
    sender = Sender(size=2_000)
    sender.send(conversation("q" * 1_000))
    later = conversation("q" * 1_000, "a", "and then?")
    assert sender.cached(later) >= 1_000
    sender.send(text_chain("B/", b"z" * 2_000))
    assert sender.cached(later) == 0


def test_less_than_predicted_forgets_what_hangs_beyond() -> None:
    """A branch of a prefix that was lost is lost; the prompt that told of it has been computed and is there."""
    sender = Sender()
    sender.send(tokens(1, 2, 3, 4))
    sender.send(tokens(1, 2, 3, 5))
    told = sender.send(tokens(1, 2, 3, 5, 6))
    assert told.predicted == 4 * 512
    sender.index.correct(told, 2 * 512)
    assert sender.cached(tokens(1, 2, 3, 4)) == 3 * 512
    assert sender.cached(tokens(1, 2, 3, 5, 6)) == 5 * 512


def test_a_replica_that_holds_less_is_believed_to_be_smaller() -> None:
    """Step by step, until predictions are as reports; and larger again when they come true."""
    sender = Sender(size=10 * 512)
    for round_ in range(200):
        sender.send(tokens(round_, 1, 1, 1, 1))
        told = sender.send(tokens(round_, 1, 1, 1, 1))
        sender.index.correct(told, 2 * 512)
    assert 0.125 <= sender.index._caches[0].share < 0.4
    for round_ in range(200):
        sender.send(tokens(round_))
        told = sender.send(tokens(round_))
        sender.index.correct(told, 512)
    assert sender.index._caches[0].share > 0.8


def test_an_engine_that_was_started_anew_loses_all_belief() -> None:
    """Behind the same address nobody tells; two reports of nothing where much was predicted do."""
    sender = Sender()
    for first in range(5):
        sender.send(tokens(first, 1, 1))
    for first in range(2):
        told = sender.send(tokens(first, 1, 1))
        assert told.predicted == 3 * 512
        sender.index.correct(told, 0)
    assert [sender.cached(tokens(first, 1, 1)) for first in (2, 3, 4)] == [0, 0, 0]


def test_a_prefix_that_was_still_being_computed_is_not_held_against_the_replica() -> None:
    """Several siblings at once find nothing of each other in some engines; that says nothing of the cache."""
    sender = Sender()
    first = sender.send(tokens(1, 2, 3))
    siblings = [sender.send(tokens(1, 2, 3, other), oldest=first.stamp) for other in (4, 5, 6)]
    for one in siblings:
        assert one.predicted == 3 * 512
        sender.index.correct(one, 0)
    assert sender.cached(tokens(1, 2, 3)) == 3 * 512
    assert sender.index._caches[0].share == 1.0


def test_a_report_from_a_former_life_says_nothing() -> None:
    """It left before all was forgotten."""
    sender = Sender()
    sender.send(tokens(1, 2))
    old = sender.send(tokens(1, 2))
    sender.index.forget(0)
    sender.send(tokens(1, 2))
    sender.index.correct(old, 0)
    assert sender.cached(tokens(1, 2)) == 2 * 512
    assert sender.index._caches[0].share == 1.0


def test_a_full_cache_costs_what_it_drops() -> None:
    """A part of what is new there and does not fit; nothing while there is room."""
    sender = Sender(size=4 * 512)
    sender.send(tokens(1, 2, 3))
    assert sender.index.forecast(sender.index.look_up(tokens(1, 2, 3, 4)), 0) == (3 * 512, 0)
    assert sender.index.forecast(sender.index.look_up(tokens(5, 6)), 0) == (0, 512 * 0.15)


def test_marks_are_bounded() -> None:
    """The oldest go first."""
    marks = Marks(limit=3)
    for link in range(5):
        marks.leave((link, 100, 0), 0, Use(link + 1, link + 1))
    assert len(marks) == 3 < MARKS_MAX
    assert marks.find((1, 100, 0)) is None
    assert marks.find((4, 100, 0)) is not None
