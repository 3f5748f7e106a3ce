"""The platform's own routing, in the simulator."""

from servery.core.usage import Usage
from servery.routing.chain import block_chain
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish
from servery.simulation.agenda import Agenda
from servery.simulation.policies.door import Visitor
from servery.simulation.simulated_pool import Machine, SimulatedPool


class ServeryShare:
    """A seat."""

    __slots__ = ("_seat", "machine", "predicted_cached_tokens")

    def __init__(self, seat: Seat, machine: Machine) -> None:
        self._seat = seat
        self.machine = machine
        self.predicted_cached_tokens: float | None = seat.predicted_cached_tokens

    def first_token(self, usage: Usage) -> None:
        self._seat.first_byte()

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

    def place(self, visitor: Visitor, *, avoid: frozenset[str]) -> ServeryShare | None:
        request = visitor.request
        owner = self._router.owner(self._pool.pool, request.account, None)
        wish = Wish(
            owner=owner,
            chain=block_chain(request.blocks, block_tokens=self._block_tokens, length=request.prompt_tokens),
            generated_tokens=visitor.estimate.generated_tokens,
            session=None if request.session is None else f"{request.account}/{request.session}",
        )
        seat = self._router.seat(self._pool.pool, wish, avoid=avoid)
        return None if seat is None else ServeryShare(seat, self._pool.by_name[seat.replica.name])
