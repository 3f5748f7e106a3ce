"""Two attempts at one branch of a request, of which the first to have a first byte is its answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from servery.admission.gate import Place
from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, Overloaded
from servery.core.hedge_outcome import HedgeOutcome
from servery.engines.whole_answer import WholeAnswer
from servery.serving.errand import Visit

_ENGINES_FAULTS = (EngineUnavailable, EngineTimeout, EngineBroke, Overloaded)
"""What another engine may do better; any other refusal would be the same there."""


class Lane:
    """One attempt: its place in the pool, its visit to a replica, and the task that waits for the answer."""

    __slots__ = ("place", "task", "visit")

    def __init__(self, place: Place, visit: Visit, asking: Coroutine[Any, Any, WholeAnswer]) -> None:
        self.place = place
        self.visit = visit
        self.task = asyncio.get_running_loop().create_task(asking)

    def stop(self) -> None:
        """Nothing of it is passed on from now on. What it holds is given back once its task has ended."""
        self.place.first_byte()  # too late for calling the request back by it
        self.visit.stop()
        self.task.cancel()

    def leave(self) -> None:
        self.visit.end()
        self.place.leave()


class Race:
    """Lanes are entered while there is no ``winner``. The first one's tokens are the request's until it is over or
    another wins. Whoever makes a race calls ``end``, whatever happens."""

    __slots__ = ("_has_failed", "lanes", "winner")

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.winner: Visit | None = None
        self._has_failed = False

    def enter(self, place: Place, visit: Visit, asking: Coroutine[Any, Any, WholeAnswer]) -> Lane:
        """``asking`` asks the engine of ``visit``, and begins with the next turn of the event loop."""
        visit.on_claim = self.claim
        visit.counts = not self.lanes
        lane = Lane(place, visit, asking)
        self.lanes.append(lane)
        return lane

    def claim(self, visit: Visit) -> None:
        """``visit`` has the first byte, which it tells once: the others are stopped in this very step."""
        assert self.winner is None, "who lost has been stopped"
        self.winner = visit
        for lane in self.lanes:
            if lane.visit is not visit:
                lane.stop()

    def call_off_second(self) -> None:
        """Another needs the room of the second lane."""
        lane = self.lanes[1]
        lane.visit.stop()
        lane.task.cancel()

    @property
    def outcome(self) -> HedgeOutcome:
        """Of the second lane, once the race is over or to be ended."""
        if self.winner is not None:
            return HedgeOutcome.LOST if self.winner is self.lanes[0].visit else HedgeOutcome.WON
        return HedgeOutcome.FAILED if self._has_failed else HedgeOutcome.ABANDONED

    async def result(self) -> WholeAnswer:
        """The winner's answer. Raises its error; the first error where none wins; or at once what would be refused
        anywhere. A lane that is over while another runs gives its place back."""
        running = {lane.task: lane for lane in self.lanes}
        failure: BaseException | None = None
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            over = [running.pop(task) for task in done]
            for lane in over:
                if not lane.task.cancelled() and lane.task.exception() is None:
                    return lane.task.result()
            for lane in over:
                is_beaten = self.winner is not None and lane.visit is not self.winner
                error = None if is_beaten or lane.task.cancelled() else lane.task.exception()
                if error is not None and (self.winner is not None or not isinstance(error, _ENGINES_FAULTS)):
                    self._has_failed = True
                    raise error
                failure = failure or error
                for other in running.values():
                    lane.leave()
                    other.visit.count()
        assert failure is not None, "without a failure somebody wins"
        self._has_failed = True
        raise failure

    async def end(self) -> None:
        """Stop what runs, and give back what the lanes hold, but for the first one's place."""
        for lane in self.lanes:
            lane.visit.stop()
            lane.task.cancel()
        try:
            await asyncio.gather(*(lane.task for lane in self.lanes), return_exceptions=True)
        finally:
            for number, lane in enumerate(self.lanes):
                lane.visit.end()
                if number:
                    lane.place.leave()
