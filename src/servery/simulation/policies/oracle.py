"""Least predicted prefill work with exact knowledge: what a router could do that sees into every engine.

The cost of a machine is the prompt tokens that were sent there and are not computed yet, plus what it would have to
compute of this prompt, given all that it holds and will have computed by then; of equals, the machine that was sent
least so far. No gateway can know this. It is the yardstick for those who must guess.
"""

from servery.core.usage import Usage
from servery.simulation.engines.block_lru import BlockLru
from servery.simulation.policies.door import Visitor
from servery.simulation.policies.simple_share import SimpleShare
from servery.simulation.simulated_pool import Machine, SimulatedPool
from servery.simulation.traces.request import Request


class _Sight:
    """What is known of one machine: a copy of its cache as it will be once all that was sent there is computed."""

    def __init__(self, machine: Machine, block_tokens: int) -> None:
        self.machine = machine
        self.cache = BlockLru(machine.engine.rates.cache_tokens // block_tokens)
        self.incarnation = machine.replica.incarnation
        self.pending_tokens = 0
        self.sent_tokens = 0

    def wait_s(self, uncached_tokens: int) -> float:
        engine = self.machine.engine
        return (self.pending_tokens - engine.prefill_done_tokens + uncached_tokens) / engine.prefill_rate


class OracleShare(SimpleShare):
    """Counts its uncached tokens as pending until the first token."""

    __slots__ = ("_pending_tokens", "_sight")

    def __init__(self, sight: _Sight, tokens: float, *, cached_tokens: int, uncached_tokens: int) -> None:
        super().__init__(sight.machine, tokens)
        self.predicted_cached_tokens = cached_tokens
        self._sight = sight
        self._pending_tokens = uncached_tokens
        sight.pending_tokens += uncached_tokens
        sight.sent_tokens += uncached_tokens

    def first_token(self, usage: Usage) -> None:
        self._sight.pending_tokens -= self._pending_tokens
        self._pending_tokens = 0

    def over(self, usage: Usage | None) -> None:
        self.first_token(Usage())
        super().over(usage)


class OraclePlacing:
    """Places among all machines of a pool."""

    def __init__(self, pool: SimulatedPool, *, block_tokens: int) -> None:
        self._block_tokens = block_tokens
        self._sights = [_Sight(machine, block_tokens) for machine in pool.machines]

    def forecast(self, request: Request) -> float:
        return 0.0

    def place(self, visitor: Visitor, *, avoid: frozenset[str]) -> OracleShare | None:
        request, tokens = visitor.request, visitor.tokens
        able = [one for one in self._sights if one.machine.replica.has_room_for(tokens)]
        if avoid:
            able = [one for one in able if one.machine.replica.name not in avoid] or able
        best: tuple[float, int] | None = None
        chosen, chosen_cached = None, 0
        for sight in able:
            cached = min(self._held_tokens(sight, request), request.prompt_tokens - 1)
            cost = (round(sight.wait_s(request.prompt_tokens - cached), 6), sight.sent_tokens)
            if best is None or cost < best:
                best, chosen, chosen_cached = cost, sight, cached
        if chosen is None:
            return None
        chosen.cache.use(request.blocks)
        uncached = request.prompt_tokens - chosen_cached
        return OracleShare(chosen, tokens, cached_tokens=chosen_cached, uncached_tokens=uncached)

    def _held_tokens(self, sight: _Sight, request: Request) -> int:
        incarnation = sight.machine.replica.incarnation
        if incarnation != sight.incarnation:
            sight.incarnation = incarnation
            sight.cache.clear()
        return self._block_tokens * sight.cache.held(request.blocks)
