"""Shares of a fleet: disjoint, and nothing left over."""

from hypothesis import given
from hypothesis import strategies as st

from servery.fleet.share import Share


@given(count=st.integers(1, 12), places=st.integers(1, 40), replicas=st.integers(1, 9))
def test_every_place_is_one_gateways(count: int, places: int, replicas: int) -> None:
    """Together the gateways have each place of each replica exactly once."""
    for replica in range(replicas):
        dealt = [
            place for index in range(count) for place in Share(index=index, count=count).places(places, replica=replica)
        ]
        assert sorted(dealt) == list(range(places))


@given(count=st.integers(1, 12), places=st.integers(1, 40), replicas=st.integers(1, 9))
def test_shares_of_a_pool_differ_by_one_at_most(count: int, places: int, replicas: int) -> None:
    """So a pool with as many places as there are gateways has one for each."""
    sums = [
        sum(len(Share(index=index, count=count).places(places, replica=replica)) for replica in range(replicas))
        for index in range(count)
    ]
    assert max(sums) - min(sums) <= 1


def test_alone_a_gateway_has_all() -> None:
    """One gateway of one has every place."""
    assert list(Share().places(3, replica=7)) == [0, 1, 2]
