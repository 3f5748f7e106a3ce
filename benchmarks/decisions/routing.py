"""Routing: a prompt's chain, the choice of a replica, the seat taken and left; for one replica and for many."""

from collections import deque
from collections.abc import Callable
from random import Random

from benchmarks.decisions.row import Row, microseconds
from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import SystemClock
from servery.core.engine_family import EngineFamily
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.chain import text_chain
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish

BAR_US = 7.0
BAR_REPLICAS = 64
PROMPT_BYTES = 32_000
PROMPT_TOKENS = 8_000
_PROMPTS = 1_000
_IN_FLIGHT_PER_REPLICA = 4
_OWNER = "account/"


def rows() -> list[Row]:
    fresh, shared = _prompts(shared_bytes=0), _prompts(shared_bytes=PROMPT_BYTES // 2)
    return [
        Row(
            part="routing",
            what="the chain of a prompt of 8k tokens",
            us=microseconds(_chains(fresh), decisions=_PROMPTS),
        ),
        *[_row("all of it, fresh prompts", fresh, replicas) for replicas in (1, 8, 64, 256)],
        *[_row("all of it, 8 shared system prompts", shared, replicas) for replicas in (1, 8, 64, 256)],
        *[_row("the same, each in a session", shared, replicas, sessions=500) for replicas in (1, 256)],
    ]


def _row(what: str, prompts: list[bytes], replicas: int, *, sessions: int = 0) -> Row:
    return Row(
        part="routing",
        what=f"{what}; {replicas} replicas",
        us=microseconds(_seats(prompts, replicas, sessions=sessions), decisions=_PROMPTS),
        bar_us=BAR_US if replicas == BAR_REPLICAS else None,
    )


def _prompts(*, shared_bytes: int) -> list[bytes]:
    chance = Random(1)  # noqa: S311 no secret hangs on it
    prefixes = [chance.randbytes(shared_bytes) for _ in range(8)]
    return [chance.choice(prefixes) + chance.randbytes(PROMPT_BYTES - shared_bytes) for _ in range(_PROMPTS)]


def _chains(prompts: list[bytes]) -> Callable[[], None]:
    def decide() -> None:
        for prompt in prompts:
            text_chain(_OWNER, prompt)

    return decide


def _seats(prompts: list[bytes], replicas: int, *, sessions: int) -> Callable[[], None]:
    """Each request takes a seat, and one that was taken earlier is left, so that there is always work in flight."""
    clock = SystemClock()
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(replicas))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    pool = ReplicaPool(Pool(name="p", engine=engine, concurrency=64, kv_tokens=1_000_000), clock)
    for replica in pool.replicas:
        replica.ready(is_fresh=True)
    router = Router(clock, slot_isolation=True)
    taken: deque[Seat] = deque()

    def decide() -> None:
        for number, prompt in enumerate(prompts):
            session = f"{_OWNER}{number % sessions}" if sessions else None
            chain = router.chain(_OWNER, prompt)
            wish = Wish(owner=_OWNER, chain=chain, units_per_token=4.0, generated_tokens=256.0, session=session)
            seat = router.seat(pool, wish)
            assert seat is not None, "there is room for all of them"
            taken.append(seat)
            if len(taken) > _IN_FLIGHT_PER_REPLICA * replicas:
                _leave(taken.popleft())

    return decide


def _leave(seat: Seat) -> None:
    seat.first_byte()
    cached = round(seat.predicted_cached_tokens)
    seat.reported(cached_tokens=cached, prompt_tokens=PROMPT_TOKENS, generated_tokens=256)
    seat.leave()
