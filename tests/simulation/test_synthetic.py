"""Made-up traffic is what it says, and the same for the same seed."""

from collections import Counter
from itertools import pairwise

import pytest

from servery.simulation.traces.request import Request, block_count
from servery.simulation.traces.synthetic import BLOCK_TOKENS, Kind, SyntheticTrace, Traffic


def made(kind: Kind, *, requests: int = 2_000, seed: int = 1) -> list[Request]:
    return list(SyntheticTrace(kind, requests=requests, requests_per_s=20.0, accounts=5, seed=seed).requests())


@pytest.mark.parametrize("kind", Kind)
def test_requests_come_in_order_and_at_about_the_wanted_rate(kind: Kind) -> None:
    """Each with as many blocks as its prompt needs, from all accounts."""
    requests = made(kind)
    assert len(requests) == 2_000
    assert all(one.arrives_s <= other.arrives_s for one, other in pairwise(requests))
    assert all(len(one.blocks) == block_count(one.prompt_tokens, BLOCK_TOKENS) for one in requests)
    late = [one for one in requests if one.arrives_s > requests[-1].arrives_s / 2]
    assert 12 < len(late) / (requests[-1].arrives_s / 2) < 30
    assert len({one.account for one in requests}) == 5


@pytest.mark.parametrize("kind", Kind)
def test_equal_seeds_make_equal_traffic(kind: Kind) -> None:
    """And others other traffic."""
    assert made(kind, requests=200) == made(kind, requests=200)
    assert made(kind, requests=200) != made(kind, requests=200, seed=2)


def test_a_conversation_goes_on_from_itself() -> None:
    """All but the last block of a turn's prompt begin the next turn's."""
    sessions: dict[str, list[Request]] = {}
    for one in made(Kind.CHAT):
        sessions.setdefault(one.session or "", []).append(one)
    turns = [pair for session in sessions.values() for pair in pairwise(session)]
    assert turns
    for earlier, later in turns:
        whole = earlier.prompt_tokens // BLOCK_TOKENS
        assert later.blocks[:whole] == earlier.blocks[:whole]


def test_accounts_share_no_blocks() -> None:
    """Though agents' prompts begin with what all would word alike."""
    owners: dict[int, set[str]] = {}
    for one in made(Kind.AGENTS):
        for block in one.blocks:
            owners.setdefault(block, set()).add(one.account)
    assert max(map(len, owners.values())) == 1


def test_random_prompts_have_nothing_in_common() -> None:
    """No block occurs twice."""
    blocks = [block for one in made(Kind.RANDOM) for block in one.blocks]
    assert len(blocks) == len(set(blocks))


def test_the_noisy_account_is_ten_times_as_loud() -> None:
    """As each of the others, on the average."""
    counts = Counter(one.account for one in made(Kind.NOISY))
    loud = counts.pop("account-0")
    assert 6 < loud / (sum(counts.values()) / len(counts)) < 15


def test_traffic_says_how_loud_how_spread_and_how_many_documents() -> None:
    """A giant among small accounts; lengths far apart; a shelf of three documents."""

    def drawn(traffic: Traffic) -> list[Request]:
        trace = SyntheticTrace(Kind.RAG, requests=2_000, requests_per_s=20.0, accounts=11, seed=3, traffic=traffic)
        return list(trace.requests())

    giant = Counter(one.account for one in drawn(Traffic(loudness=90)))
    assert 1_700 < giant["account-0"] < 1_900
    near, far = (sorted(one.prompt_tokens for one in drawn(Traffic(spread=spread))) for spread in (0.1, 2.0))
    assert near[1_980] < 1.4 * near[1_000]
    assert far[1_980] > 20 * far[1_000]
    shelf = drawn(Traffic(documents=1, document_tokens=BLOCK_TOKENS, shelf=3))
    assert len({one.blocks[0] for one in shelf if one.account == "account-0"}) <= 3
