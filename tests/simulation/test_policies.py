"""The policies beside ours decide as they are described."""

from tests.simulation.fleets import described

from servery.core.serving_path import ServingClass
from servery.core.usage import Usage
from servery.limits.estimated import Estimate
from servery.simulation.agenda import Agenda
from servery.simulation.described.policy import CacheAware
from servery.simulation.policies.baselines import ChoicePlacing, LeastRequests, PrefixHash, RoundRobin
from servery.simulation.policies.cache_aware import CacheAwareChoice
from servery.simulation.policies.oracle import OraclePlacing
from servery.simulation.policies.placing import Placing, Share
from servery.simulation.policies.plain_doors import FifoDoor
from servery.simulation.policies.servery_placing import ServeryPlacing
from servery.simulation.simulated_pool import SimulatedPool
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request

BLOCK_TOKENS = 100


class Caller:
    """A visitor that writes down what it is told."""

    serving_class = ServingClass.STANDARD
    estimate = Estimate(100, 100, 100)
    tokens = 200.0

    def __init__(self, *blocks: int) -> None:
        self.request = Request(0.0, BLOCK_TOKENS * len(blocks), 10, blocks)
        self.told: list[str] = []

    def admitted(self) -> None:
        self.told.append("admitted")

    def refused(self, ending: Ending, retry_after_s: float) -> None:
        self.told.append(ending.value)

    def called_back(self) -> None:
        self.told.append("called back")


def pool() -> SimulatedPool:
    return SimulatedPool(described().pools["shared"], Agenda(), block_tokens=BLOCK_TOKENS)


def place(placing: Placing, *blocks: int) -> Share:
    share = placing.place(Caller(*blocks), avoid=frozenset())
    assert share is not None
    return share


def test_round_robin_takes_turns() -> None:
    """All four, then the first again."""
    placing = ChoicePlacing(pool(), RoundRobin())
    assert [place(placing, 1).machine.number for _ in range(5)] == [0, 1, 2, 3, 0]


def test_least_requests_goes_where_fewest_are() -> None:
    """Who has been left by its request is the next."""
    placing = ChoicePlacing(pool(), LeastRequests())
    shares = [place(placing, 1) for _ in range(4)]
    assert len({share.machine.number for share in shares}) == 4
    shares[2].over(None)
    assert place(placing, 1).machine is shares[2].machine


def test_what_begins_alike_meets() -> None:
    """The first two blocks decide."""
    placing = ChoicePlacing(pool(), PrefixHash(blocks=2))
    assert len({place(placing, 1, 2, other).machine.number for other in range(8)}) == 1
    assert len({place(placing, 1, other, 3).machine.number for other in range(12)}) > 1


def test_cache_aware_follows_a_long_prefix_and_else_the_smallest_tree() -> None:
    """Until requests are far apart: then load alone counts."""
    house = pool()
    settings = CacheAware(cache_threshold=0.5, balance_abs_threshold=3, balance_rel_threshold=1.5)
    placing = ChoicePlacing(house, CacheAwareChoice(settings, Agenda().clock, machines=4, block_tokens=BLOCK_TOKENS))
    first = place(placing, 1, 2, 3, 4)
    assert place(placing, 1, 2, 3, 9).machine is first.machine
    assert place(placing, 1, 7, 8, 9).machine is not first.machine
    assert place(placing, 1, 2, 3, 4).machine is first.machine
    assert place(placing, 1, 2, 3, 4).machine is first.machine
    assert place(placing, 1, 2, 3, 4).machine is not first.machine


def test_the_oracle_weighs_what_is_cached_against_what_waits() -> None:
    """It goes where the prefix lies while that is sooner, and elsewhere when too much waits there."""
    placing = OraclePlacing(pool(), block_tokens=BLOCK_TOKENS)
    first = place(placing, *range(40))
    first.first_token(Usage())
    again = place(placing, *range(40))
    assert again.machine is first.machine
    assert again.predicted_cached_tokens == 3_999
    longer = place(placing, *range(40), *range(100, 160))
    assert longer.machine is first.machine
    assert place(placing, *range(40)).machine is not first.machine


def test_what_stands_above_a_links_bits_tells_blocks_apart() -> None:
    """Traces tell accounts apart there, of which there are more than a few bits have room for."""
    house, agenda = pool(), Agenda()
    placing = ServeryPlacing(house, agenda, block_tokens=BLOCK_TOKENS)
    for account in range(1_000):
        share = place(placing, *range(account << 60, (account << 60) + 40))
        assert share.predicted_cached_tokens == 0, "an account's prefix is its own"
        share.first_token(Usage())
        share.over(None)


def test_the_line_is_first_in_first_out_and_bounded() -> None:
    """As many inside as the replicas take, as many waiting as the queue holds; who waits too long is refused."""
    agenda = Agenda()
    house = SimulatedPool(described().pools["shared"], agenda, block_tokens=BLOCK_TOKENS)
    door = FifoDoor(house, agenda)
    callers = [Caller(number) for number in range(4 * 16 + 200 + 1)]
    for caller in callers:
        door.arrive(caller)
    assert [caller.told for caller in callers[:64]] == [["admitted"]] * 64
    assert callers[-1].told == ["shed_capacity"]
    assert door.waiting == 200
    door.leave(callers[0], None)
    assert callers[64].told == ["admitted"]
    assert callers[65].told == []
    house.is_open = False
    agenda.run_until(60.0)
    assert callers[65].told == ["expired"]
    assert door.waiting == 0
