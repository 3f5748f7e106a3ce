"""Routing: a prompt's chain, the forecast that limits ask for, the choice of a replica, the seat taken and left; for
one replica and for many. All caches are full, so that each prompt drops another, and no prompt is sent twice."""

from collections import deque
from collections.abc import Callable
from random import Random

from benchmarks.decisions.row import Kind, Row, microseconds
from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import SystemClock
from servery.core.engine_family import EngineFamily
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.chain import text_chain
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish

_REPLICAS = (1, 8, 64, 256)
_REPLICAS_OF_BAR = 64
PROMPT_BYTES = 32_000
PROMPT_TOKENS = 8_000
_PROMPTS = 100
"""In a round: few enough to be as near to the processor as parsing leaves them."""
_IN_FLIGHT_PER_REPLICA = 4
_CACHE_TOKENS = 100_000
_PROMPTS_PER_CACHE = _CACHE_TOKENS // PROMPT_TOKENS + 1
_OWNER = "account/"


class Prompts:
    """Conversations of one turn, the system's word before it, of which ``shared_bytes`` are one of eight beginnings.
    ``now`` are those of this round; ``renew`` makes them other than all before."""

    def __init__(self, *, shared_bytes: int) -> None:
        chance = Random(1)  # noqa: S311 no secret hangs on it
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz    ", k=8 * PROMPT_BYTES)).encode()
        self._heads = [
            b'[{"role":"system","content":"%d' % number + text[number:][:shared_bytes] for number in range(8)
        ]
        rest = PROMPT_BYTES - shared_bytes - 1_100
        starts = [chance.randrange(len(text) - PROMPT_BYTES) for _ in range(_PROMPTS)]
        self._tails = [
            text[start:][:rest]
            + b'"},{"role":"assistant","content":"'
            + text[start:][:500]
            + b'"},{"role":"user","content":"'
            + text[start:][:400]
            + b'"}]'
            for start in starts
        ]
        self._round = 0
        self.now: list[bytes] = []
        self.renew()

    def renew(self) -> None:
        self._round += 1
        self.now = [
            self._heads[number % 8] + b"%d.%d" % (self._round, number) + tail for number, tail in enumerate(self._tails)
        ]


def rows() -> list[Row]:
    fresh, shared = Prompts(shared_bytes=0), Prompts(shared_bytes=PROMPT_BYTES // 2)
    return [
        Row(
            part="routing",
            what="the chain of a prompt of 8k tokens",
            us=microseconds(_chains(fresh), decisions=_PROMPTS, prepare=fresh.renew),
        ),
        *[_row(f"all of it, {Kind.FRESH.value}", fresh, replicas, kind=Kind.FRESH) for replicas in _REPLICAS],
        *[_row(f"all of it, {Kind.SHARED.value}", shared, replicas, kind=Kind.SHARED) for replicas in _REPLICAS],
        *[_row("the same, each in a session", shared, replicas, sessions=500) for replicas in (1, 256)],
    ]


def _row(what: str, prompts: Prompts, replicas: int, *, kind: Kind | None = None, sessions: int = 0) -> Row:
    return Row(
        part="routing",
        what=f"{what}; {replicas} replicas",
        us=microseconds(
            _seats(prompts, replicas, sessions=sessions),
            decisions=_PROMPTS,
            prepare=prompts.renew,
            rounds_before=_PROMPTS_PER_CACHE * replicas // _PROMPTS + 1,
        ),
        asked_by=frozenset({kind} if kind is not None and replicas == _REPLICAS_OF_BAR else ()),
    )


def _chains(prompts: Prompts) -> Callable[[], None]:
    def decide() -> None:
        for prompt in prompts.now:
            text_chain(_OWNER, prompt)

    return decide


def _seats(prompts: Prompts, replicas: int, *, sessions: int) -> Callable[[], None]:
    """Each request takes a seat, and one that was taken earlier is left, so that there is always work in flight."""
    clock = SystemClock()
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(replicas))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    pool = ReplicaPool(Pool(name="p", engine=engine, concurrency=64, kv_tokens=_CACHE_TOKENS), clock)
    for replica in pool.replicas:
        replica.ready(is_fresh=True)
    router = Router(clock, slot_isolation=True)
    taken: deque[Seat] = deque()

    def decide() -> None:
        for number, prompt in enumerate(prompts.now):
            session = f"{_OWNER}{number % sessions}" if sessions else None
            chain = router.chain(_OWNER, prompt)
            wish = Wish(owner=_OWNER, chain=chain, units_per_token=4.0, generated_tokens=256.0, session=session)
            router.forecast(pool, wish)
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
