"""The platform's own routing, in the simulator."""

from servery.core.usage import Usage
from servery.routing.chain import Chain, block_chain
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish
from servery.simulation.agenda import Agenda
from servery.simulation.policies.door import Visitor
from servery.simulation.simulated_pool import Machine, SimulatedPool
from servery.simulation.traces.request import Request

_LINK_BITS = 64
_ODD = 0x9E37_79B9_7F4A_7C15


class ServeryShare:
    """A seat."""

    __slots__ = ("_seat", "machine", "predicted_cached_tokens")

    def __init__(self, seat: Seat, machine: Machine) -> None:
        self._seat = seat
        self.machine = machine
        self.predicted_cached_tokens: float | None = seat.predicted_cached_tokens

    def first_token(self, usage: Usage) -> None:
        self._seat.first_byte()

    def refused(self) -> None:
        self._seat.refused()

    def over(self, usage: Usage | None) -> None:
        if usage is not None:
            self._seat.reported(
                cached_tokens=usage.cached_prompt_tokens,
                prompt_tokens=usage.prompt_tokens,
                generated_tokens=usage.generated_tokens,
            )
        self._seat.leave()


class ServeryPlacing:
    """The router sees the trace's blocks where it would see those of a text, and is told how large the engines' caches
    are, as a catalog tells it."""

    def __init__(self, pool: SimulatedPool, agenda: Agenda, *, block_tokens: int) -> None:
        self._pool = pool
        self._block_tokens = block_tokens
        self._router = Router(
            agenda.clock, slot_isolation=True, cache_tokens=max(1, pool.described.engine.cache_tokens)
        )
        self._latest: tuple[Request, Chain] | None = None

    def forecast(self, request: Request) -> float:
        return self._router.forecast(self._pool.pool, self._wish(request, generated_tokens=0.0))

    def place(self, visitor: Visitor, *, avoid: frozenset[str]) -> ServeryShare | None:
        wish = self._wish(visitor.request, generated_tokens=visitor.estimate.generated_tokens)
        seat = self._router.seat(self._pool.pool, wish, avoid=avoid)
        return None if seat is None else ServeryShare(seat, self._pool.by_name[seat.replica.name])

    def _wish(self, request: Request, *, generated_tokens: float) -> Wish:
        return Wish(
            owner=self._router.owner(self._pool.pool, request.account, None),
            chain=self._chain(request),
            generated_tokens=generated_tokens,
            session=None if request.session is None else f"{request.account}/{request.session}",
        )

    def _chain(self, request: Request) -> Chain:
        """Made once for a request that is placed as soon as it was asked about."""
        if self._latest is None or self._latest[0] is not request:
            links = [_link(one) for one in request.blocks]
            chain = block_chain(links, block_tokens=self._block_tokens, length=request.prompt_tokens)
            self._latest = (request, chain)
        return self._latest[1]


def _link(block: int) -> int:
    """What stands above the bits of a link, such as an account, tells blocks apart as well."""
    return block ^ (block >> _LINK_BITS) * _ODD
