"""Ids of requests."""

import random

from servery.core.clock import ManualClock
from servery.core.ids import RequestIds, pseudo_random_bits


def test_ids_begin_with_the_millisecond_and_are_distinct() -> None:
    """Of the 32 digits twelve are the time, which goes on from id to id; no two ids are the same."""
    clock = ManualClock(wall_ns=1_800_000_000_123_000_000)
    ids = RequestIds(pseudo_random_bits(7), clock.wall_ns)
    made = []
    for _ in range(300):
        made.append(ids.new())
        clock.advance(0.0005)
    assert {len(one) for one in made} == {len("chatcmpl-") + 32}
    times = [int(one.removeprefix("chatcmpl-")[:12], 16) for one in made]
    assert times == [1_800_000_000_123 + number // 2 for number in range(300)]
    assert len({one[-20:] for one in made}) == 300


def test_each_id_has_eighty_random_bits_of_its_own() -> None:
    """What is drawn is used once and whole: the same bits, drawn one id after the other, are those of the ids."""
    drawn: list[int] = []

    def random_bits(count: int) -> int:
        drawn.append(random.Random(len(drawn)).getrandbits(count))
        return drawn[-1]

    ids = RequestIds(random_bits, ManualClock().wall_ns)
    made = [ids.new() for _ in range(200)]
    digits = "".join(one[-20:] for one in made)
    assert len(drawn) > 1
    assert "".join(f"{one:0{64 * 20}x}" for one in drawn).startswith(digits)
