"""The cheapest replica."""

import msgspec

from servery.routing.picker import Candidate, pick

IDLE = Candidate(name="a", pending_prompt_tokens=0, uncached_prompt_tokens=1_000, dropped_tokens=0, in_flight=0)


def other(name: str = "b", **changes: float) -> Candidate:
    return msgspec.structs.replace(IDLE, name=name, **changes)


def test_a_cached_prompt_is_cheaper() -> None:
    """Until the replica that holds it has more to compute than that saves."""
    assert pick([IDLE, other(uncached_prompt_tokens=100)]) == other(uncached_prompt_tokens=100)
    assert pick([IDLE, other(uncached_prompt_tokens=100, pending_prompt_tokens=2_000)]) == IDLE


def test_what_would_be_dropped_counts() -> None:
    """A replica with nothing to lose goes before one that would lose something."""
    assert pick([other(dropped_tokens=500), IDLE]) == IDLE


def test_a_session_goes_home_unless_home_is_busy() -> None:
    """A discount, not an order."""
    home = other(is_home=True, pending_prompt_tokens=900)
    assert pick([IDLE, home]) == home
    assert pick([IDLE, other(is_home=True, pending_prompt_tokens=2_000)]) == IDLE


def test_equals_are_told_apart_by_their_streams() -> None:
    """Fewer streams, then the order given."""
    assert pick([other(in_flight=3), other("c", in_flight=1), other("d", in_flight=1)]) == other("c", in_flight=1)
    assert pick([]) is None
