"""Homes of sessions: the same everywhere, and moved only when they must be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from servery.routing.session_ring import SessionRing

NAMES = [f"p/{number}" for number in range(8)]
SESSIONS = [f"acme/{number}" for number in range(400)]


def hashed(text: str) -> int:
    place: int = xxh3_64_intdigest(text.encode())
    return place


def homes(ring: SessionRing, *, gone: frozenset[int] = frozenset()) -> dict[str, int | None]:
    return {one: ring.home(one, load=lambda number: None if number in gone else 0, mean=0) for one in SESSIONS}


def test_gateways_agree_without_talking() -> None:
    """A ring is made of names alone."""
    assert homes(SessionRing(NAMES)) == homes(SessionRing(list(NAMES)))


@given(st.integers(0, 7))
def test_only_sessions_of_a_replica_that_goes_are_moved(gone: int) -> None:
    """All others stay where they are; when it returns, so do its own."""
    ring = SessionRing(NAMES)
    before, after = homes(ring), homes(ring, gone=frozenset({gone}))
    assert all(after[one] == home for one, home in before.items() if home != gone)
    assert gone not in after.values()


@given(st.integers(1, 40), st.text())
def test_home_is_the_next_point_on_the_ring(replicas: int, session: str) -> None:
    """As found by looking at all points."""
    names = [f"p/{number}" for number in range(replicas)]
    points = sorted((hashed(f"{name}\0{point}"), number) for number, name in enumerate(names) for point in range(64))
    after = [number for place, number in points if place > hashed(session)]
    home = SessionRing(names).home(session, load=lambda _: 0, mean=0)
    assert home == (after or [points[0][1]])[0]


def test_sessions_are_spread() -> None:
    """No replica is home to twice its share, none to less than half."""
    counts = Counter(homes(SessionRing(NAMES)).values())
    assert all(25 <= counts[number] <= 100 for number in range(8))


def test_a_home_takes_no_more_than_its_share_and_a_quarter() -> None:
    """The next on the ring takes what is beyond it, the same one each time."""
    ring = SessionRing(NAMES)
    loads = Counter[int]()
    for count, session in enumerate(SESSIONS):
        home = ring.home(session, load=loads.__getitem__, mean=count / len(NAMES))
        assert home is not None
        loads[home] += 1
        assert loads[home] <= 1.25 * (count / len(NAMES) + 1) + 1
    crowded = ring.home(SESSIONS[0], load=lambda _: 100, mean=10)
    assert crowded is None


def test_without_replicas_that_can_serve_there_is_no_home() -> None:
    """None, not an error."""
    assert SessionRing(NAMES).home("acme/1", load=lambda _: None, mean=0) is None
    assert SessionRing([]).home("acme/1", load=lambda _: 0, mean=0) is None
