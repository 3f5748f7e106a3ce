"""What home is worth is learned from what is found there."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.chain import text_chain
from servery.routing.home_worth import HomeWorth
from servery.routing.router import Router
from servery.routing.wish import Wish

TURN_BYTES = 6_000


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 9_000))))
def test_it_stays_between_its_bounds(seen: list[tuple[int, int]]) -> None:
    """Whatever engines report."""
    worth = HomeWorth()
    for predicted, reported in seen:
        worth.learn(predicted_tokens=predicted, reported_tokens=reported, is_told=True)
        assert 128 <= worth.tokens <= 1_024


@given(st.integers(0, 100_000), st.floats(0, 1.5))
def test_what_was_predicted_is_no_find(predicted: int, found: float) -> None:
    """Nor what is short by a block's half: home comes to be worth little."""
    worth = HomeWorth()
    for _ in range(100):
        worth.learn(predicted_tokens=predicted, reported_tokens=found * predicted, is_told=True)
    assert worth.tokens == 128
    assert worth.is_alone


def test_one_find_in_eight_is_enough() -> None:
    """The other turns of a session are predicted."""
    worth = HomeWorth()
    for turn in range(800):
        worth.learn(predicted_tokens=0 if turn % 8 == 0 else 4_000, reported_tokens=4_000, is_told=True)
        assert worth.tokens > 850
        assert not worth.is_alone


def test_an_engine_that_does_not_tell_leaves_home_as_it_was() -> None:
    """Whatever happened before it was found out; where nothing was predicted either, there is nothing to tell."""
    worth = HomeWorth()
    for _ in range(100):
        worth.learn(predicted_tokens=0, reported_tokens=0, is_told=False)
    assert worth.tokens == 128
    worth.learn(predicted_tokens=1_000, reported_tokens=0, is_told=False)
    assert worth.tokens == 1_024


def gateway(clock: ManualClock) -> tuple[Router, ReplicaPool]:
    """One of several before the same four engines."""
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(4))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    pool = ReplicaPool(Pool(name="p", engine=engine, concurrency=64), clock)
    for replica in pool.replicas:
        limits = ExchangeLimits(first_byte_timeout_s=1, chunk_timeout_s=1, whole_timeout_s=1)
        address = EngineAddress(family=EngineFamily.VLLM, host="127.0.0.1", port=1)
        replica.up(EngineClient(address, connection_limits=ConnectionLimits(), exchange_limits=limits, clock=clock))
    return Router(clock, slot_isolation=True), pool


def conversations(*, gateways: int) -> list[tuple[float, float]]:
    """Sixty of four turns, each turn at the next gateway, before engines that hold all that was sent there. Returns the
    discount of home for each turn, in tokens, and the share of its prompt that was cached."""
    clock = ManualClock()
    asked = [gateway(clock) for _ in range(gateways)]
    held: defaultdict[str, set[bytes]] = defaultdict(set)
    told = []
    for session in range(60):
        prompt = b"["
        for turn in range(4):
            words = b"%04d-%04d " % (session, turn) * (TURN_BYTES // 10)
            prompt += b'{"role":"user","content":"' + words + b'"},'
            router, pool = asked[(session + turn) % gateways]
            chain = text_chain("A/", prompt[:-1] + b"]")
            wish = Wish(owner="A/", chain=chain, units_per_token=4.0, session=f"s{session}")
            seat = router.seat(pool, wish)
            assert seat is not None
            cached = max((len(one) for one in held[seat.replica.name] if prompt.startswith(one)), default=0)
            held[seat.replica.name].add(prompt)
            clock.advance((len(prompt) - cached) / 4 / 8_000)
            seat.first_byte()
            seat.reported(cached_tokens=cached // 4, prompt_tokens=len(prompt) // 4)
            seat.leave()
            told.append((seat.weighing.decision.chosen.discount_s * 8_000, cached / len(prompt)))
    return told


def test_home_is_worth_little_where_one_gateway_sends_alone() -> None:
    """It knows what lies where."""
    last = conversations(gateways=1)[-40:]
    assert max(discount for discount, _ in last) < 300
    assert sum(cached for _, cached in last) / len(last) > 0.47, "of at most 0.48"


def test_home_is_worth_much_where_others_send_too() -> None:
    """Sessions find there what another gateway has sent."""
    last = conversations(gateways=2)[-40:]
    assert max(discount for discount, _ in last) > 900
    assert sum(cached for _, cached in last) / len(last) > 0.33, "of at most 0.48"
