"""Homes of sessions: the same everywhere, and moved only when they must be."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.session_home import session_home

NAMES = st.lists(st.integers(0, 50).map("pool/{}".format), min_size=1, max_size=8, unique=True)
SESSIONS = [f"acme/{number}" for number in range(60)]


@given(NAMES, st.data())
def test_the_order_of_replicas_makes_no_difference(names: list[str], data: st.DataObject) -> None:
    """All gateways agree without talking."""
    shuffled = data.draw(st.permutations(names))
    assert [session_home(one, names) for one in SESSIONS] == [session_home(one, shuffled) for one in SESSIONS]


@given(NAMES, st.data())
def test_only_sessions_of_a_replica_that_goes_are_moved(names: list[str], data: st.DataObject) -> None:
    """All others stay where they are; when it returns, so do its own."""
    gone = data.draw(st.sampled_from(names))
    left = [name for name in names if name != gone]
    for session in SESSIONS:
        before, after = session_home(session, names), session_home(session, left)
        assert before in {after, gone}
        assert after != gone


def test_sessions_are_spread() -> None:
    """No replica is home to all, none to nobody."""
    homes = [session_home(f"acme/{number}", ["p/0", "p/1", "p/2", "p/3"]) for number in range(1_000)]
    assert all(180 <= homes.count(f"p/{number}") <= 320 for number in range(4))


def test_without_replicas_there_is_no_home() -> None:
    """None, not an error."""
    assert session_home("acme/1", []) is None
