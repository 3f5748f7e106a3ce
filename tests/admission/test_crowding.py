"""How much of a token's time in a full pool is due to how full it is."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.admission.crowding import LEAST_WORTH, MOST_SHARE, Crowding, places_left, spared, superfluous

PLACES, TOKENS, FULL_S = 64, 101, 0.02


class Told:
    """A stream's count, once it is over."""

    frames = TOKENS

    def __init__(self, *, generated_tokens: int | None = TOKENS, is_held_up: bool = False) -> None:
        self.generated_tokens = generated_tokens
        self.is_held_up = is_held_up


def seen(crowding: Crowding, random: Random, *, share: float, emptiest: float, spread: float, streams: int) -> float:
    """Streams one after another, each in a pool that is ``emptiest`` at least; tokens take longer as it fills, and
    ``spread`` more or less by chance. The mean of what it was found to be on the way."""
    now_s, found = 0.0, []
    for _ in range(streams):
        inside = round(random.uniform(emptiest, 1.0) * PLACES)
        token_s = FULL_S * (1.0 - share + share * inside / PLACES) * random.lognormvariate(-(spread**2) / 2, spread)
        crowding.inside(inside, now_s)
        stream = crowding.begin(Told(), now_s)
        now_s += token_s * (TOKENS - 1)
        crowding.end(stream, places=PLACES, replicas=1, now_s=now_s)
        found.append(crowding.share)
    return sum(found[len(found) // 2 :]) / (len(found) - len(found) // 2)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_it_is_found_from_streams_in_emptier_and_fuller_pools(share: float) -> None:
    """Rather too small than too large, as it keeps clear of chance."""
    found = seen(Crowding(), Random(1), share=share, emptiest=0.1, spread=0.2, streams=1_000)
    assert share - 0.08 <= found <= share + 0.02


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_hardly_taken_for_crowding(seed: int) -> None:
    """Where all streams go at their own speed, however much speeds differ, and little but the full pool was seen."""
    found = seen(Crowding(), Random(seed), share=0.0, emptiest=0.85, spread=0.6, streams=2_000)
    assert spared(found, loss=0.05) <= 0.06


def test_it_is_the_time_inside_that_counts() -> None:
    """A stream that began alone and was soon among many has been in a crowded pool."""
    crowding = Crowding()
    for number in range(64):
        alone, now_s = number % 2 == 0, 1_000.0 * number
        crowding.inside(1, now_s)
        stream = crowding.begin(Told(), now_s)
        if not alone:
            crowding.inside(PLACES, now_s + 0.01)
        crowding.end(stream, places=PLACES, replicas=1, now_s=now_s + (1.0 if alone else 10.0))
        crowding.inside(0, now_s + 10.0)
    assert crowding.share == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    "told",
    [Told(generated_tokens=None), Told(generated_tokens=7), Told(is_held_up=True)],
    ids=["untold", "short", "slow"],
)
def test_who_tells_nothing_of_the_engine_is_left_out(told: Told) -> None:
    """Streams whose length is not told, that are too short, or whose client was too slow."""
    crowding = Crowding()
    for number in range(64):
        inside = 1 if number % 2 else PLACES
        crowding.inside(inside, 10.0 * number)
        stream = crowding.begin(told, 10.0 * number)
        crowding.end(stream, places=PLACES, replicas=1, now_s=10.0 * number + 0.1 * inside)
    assert crowding.share == 0.0


def test_places_cost_what_their_streams_would_have_generated() -> None:
    """As many tokens as places where each stream goes at its own speed; the more places, the more streams share."""
    assert spared(0.0, loss=0.05) == pytest.approx(0.05)
    for share in (0.0, 0.3, 0.9):
        empty = spared(share, loss=0.05)
        assert (1.0 - empty) / (1.0 - share * empty) == pytest.approx(0.95)
    assert spared(0.95, loss=0.05) > spared(0.5, loss=0.05) > spared(0.0, loss=0.05)


@given(st.floats(0.0, 0.99), st.floats(0.01, 1.0))
def test_a_place_is_superfluous_when_it_adds_too_little(share: float, worth: float) -> None:
    """The last that is left adds ``worth`` of what a place of the full pool adds on the average, and one more less;
    where the last place of all adds as much, none is."""
    empty = superfluous(share, worth=worth)
    assert 0.0 <= empty < 1.0

    def generated(used: float) -> float:
        return used / (1.0 - share + share * used)

    added = (generated(1.0 - empty + 1e-6) - generated(1.0 - empty)) / 1e-6
    if empty:
        assert added == pytest.approx(worth, rel=1e-2)
    else:
        assert added >= worth * 0.99


@given(st.floats(0.0, MOST_SHARE))
def test_what_is_superfluous_is_a_twentieth_of_the_tokens(share: float) -> None:
    """Nearly, whatever the pool is like: 0.053 where it is most."""
    empty = superfluous(share, worth=LEAST_WORTH)
    assert (1.0 - empty) / (1.0 - share * empty) >= 0.947


def test_a_stream_alone_at_its_replica_is_in_as_empty_a_pool_as_can_be() -> None:
    """Two replicas of eight places, whose streams take turns with each other and with nobody else: of two streams each
    has a replica for itself, as one has, and the line through these and full pools says that all is shared."""
    crowding, now_s = Crowding(), 0.0
    for number in range(256):
        inside = (1, 2, 8, 16)[number % 4]
        crowding.inside(inside, now_s)
        stream = crowding.begin(Told(), now_s)
        now_s += 0.001 * max(1, inside // 2) * (TOKENS - 1)
        crowding.end(stream, places=16, replicas=2, now_s=now_s)
    assert crowding.share == pytest.approx(MOST_SHARE)


def test_standard_leaves_free_what_priority_needs_and_what_adds_next_to_nothing() -> None:
    """The second only in a pool whose streams share what there is, and where there is Priority at all."""
    assert places_left(0, places=100, crowding=0.95) == 0
    assert places_left(3, places=100, crowding=0.0) == 3
    assert places_left(3, places=100, crowding=0.95) > 20
    assert places_left(90, places=100, crowding=0.95) == 90
