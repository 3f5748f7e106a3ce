"""A trace is stretched, cut and dealt."""

from collections import Counter
from collections.abc import Iterator

from servery.core.serving_path import ServingPath
from servery.simulation.traces.request import Request
from servery.simulation.traces.shaped import Dealing, Shape, ShapedTrace


class Listed:
    """Sessions of three requests each, one request a second."""

    block_tokens = 100

    def requests(self) -> Iterator[Request]:
        for number in range(300):
            session = number // 3
            yield Request(float(number), 250, 5, (0, 1000 + session, 100_000 + number))


def shaped(**shape: object) -> list[Request]:
    return list(ShapedTrace(Listed(), Shape(**shape)).requests())


def test_a_faster_trace_has_the_same_requests_sooner() -> None:
    """Twice the rate, half the time."""
    assert [one.arrives_s for one in shaped(rate=2.0)][:3] == [0.0, 0.5, 1.0]


def test_a_window_begins_at_zero() -> None:
    """What lies before and behind it is left out."""
    window = shaped(from_s=10.0, until_s=14.0, rate=2.0)
    assert [one.arrives_s for one in window] == [0.0, 0.5, 1.0, 1.5]


def test_sessions_stay_together() -> None:
    """Dealt by session, requests that begin alike are of one account."""
    dealt = shaped(accounts=10, dealing=Dealing.SESSION)
    assert all(len({one.account for one in dealt[start : start + 3]}) == 1 for start in range(0, 300, 3))
    assert len({one.account for one in dealt}) == 10


def test_accounts_share_no_blocks() -> None:
    """Though all prompts begin with the same block in the trace."""
    owners: dict[int, set[str]] = {}
    for one in shaped(accounts=10, dealing=Dealing.REQUEST):
        for block in one.blocks:
            owners.setdefault(block, set()).add(one.account)
    assert max(map(len, owners.values())) == 1


def test_skew_makes_the_first_account_the_largest() -> None:
    """With a skew of 2 it has more than half."""
    counts = Counter(one.account for one in shaped(accounts=10, dealing=Dealing.REQUEST, skew=2.0))
    assert counts["account-0"] > 150


def test_shares_of_paths_are_drawn() -> None:
    """Near to what was asked for, and the same for the same seed."""
    counts = Counter(one.path for one in shaped(priority_share=0.3, fast_share=0.2, seed=4))
    assert 60 <= counts[ServingPath.PRIORITY] <= 120
    assert 35 <= counts[ServingPath.FAST] <= 85
    assert shaped(priority_share=0.3, seed=4) == shaped(priority_share=0.3, seed=4)
    assert shaped(priority_share=0.3, seed=4) != shaped(priority_share=0.3, seed=5)
