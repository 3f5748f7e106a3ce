"""Jobs that write down what an engine tells them, and engines to run them."""

from servery.core.serving_path import ServingClass
from servery.simulation.agenda import Agenda
from servery.simulation.engines.engine import SimulatedEngine
from servery.simulation.engines.engine_rates import EngineRates
from servery.simulation.engines.job import Job
from servery.simulation.traces.request import Request

BLOCK_TOKENS = 100


class NotedJob(Job):
    """``first_s``, ``ended_s`` and ``broke_s`` are when it was told."""

    def __init__(
        self,
        agenda: Agenda,
        *,
        blocks: tuple[int, ...],
        generated_tokens: int = 1,
        serving_class: ServingClass = ServingClass.STANDARD,
    ) -> None:
        super().__init__(Request(0.0, len(blocks) * BLOCK_TOKENS, generated_tokens, blocks), serving_class)
        self.first_s: float | None = None
        self.ended_s: float | None = None
        self.broke_s: float | None = None
        self._clock = agenda.clock

    def first_token(self) -> None:
        assert self.first_s is None
        self.first_s = self._clock.now_s

    def ended(self) -> None:
        assert self.first_s is not None
        assert self.ended_s is None
        self.ended_s = self._clock.now_s

    def broke(self) -> None:
        self.broke_s = self._clock.now_s


def engine_of(agenda: Agenda, **rates: object) -> SimulatedEngine:
    """1,000 prompt tokens a second, 10 generated ones, room for 100 blocks, unless said otherwise."""
    given = {"prefill_tokens_per_s": 1000.0, "decode_tokens_per_s": 10.0, "cache_tokens": 10_000, **rates}
    return SimulatedEngine(EngineRates(**given), agenda, block_tokens=BLOCK_TOKENS)
