"""Where an owner has been."""

from servery.routing.owners import Owners


def test_the_replicas_that_an_owner_used_last_are_known() -> None:
    """Eight of them, the latest last."""
    owners = Owners()
    for replica in (1, 2, 3, 1, *range(10, 16)):
        owners.used("A/", replica)
    assert owners.replicas("A/") == (3, 1, 10, 11, 12, 13, 14, 15)
    assert owners.replicas("B/") == ()


def test_owners_are_bounded() -> None:
    """Whoever came longest ago is forgotten."""
    owners = Owners(limit=2)
    for owner in ("A/", "B/", "A/", "C/"):
        owners.used(owner, 0)
    assert len(owners) == 2
    assert owners.replicas("B/") == ()
    assert owners.replicas("A/") == (0,)
