"""A client's side that keeps all that it is told."""

from servery.core.limit_reading import LimitReading
from servery.core.serving_path import ServingPath
from servery.engines.answer_reader import EventSink
from servery.engines.engine_answer import EngineEvent
from servery.engines.passage import Passage
from servery.engines.tally import Tally
from servery.engines.whole_answer import WholeAnswer
from servery.routing.weighing import Weighing
from servery.serving.reply import Flow, StreamStart
from servery.serving.served import Served


class RecordingReply:
    """Asserts the order that a ``Reply`` is promised: granted, start, frames, last bytes, finish."""

    def __init__(self) -> None:
        self.reading: LimitReading | None = None
        self.path: ServingPath | None = None
        self.budget_used: float | None = None
        self.started: StreamStart | None = None
        self.frames: list[tuple[int, bytes]] = []
        self.answers: list[WholeAnswer] | None = None
        self.served: Served | None = None
        self.flows: list[Flow] = []
        self.routes: list[str] = []

    def granted(self, reading: LimitReading, path: ServingPath) -> None:
        assert self.reading is None, "granted once"
        self.reading, self.path = reading, path

    def near_budget(self, used_share: float) -> None:
        assert self.reading is not None, "granted first"
        assert self.started is None, "before anything is sent"
        self.budget_used = used_share

    def routed(self, weighing: Weighing) -> None:
        assert self.reading is not None, "granted first"
        assert self.started is None, "before anything is shown"
        self.routes.append(weighing.explain())

    def start(self, start: StreamStart) -> None:
        assert self.reading is not None, "granted first"
        assert self.started is None, "started once"
        self.started = start

    def sink(self, branch: int) -> EventSink:
        return _RecordingSink(self, branch)

    def last_bytes(self, answers: list[WholeAnswer], served: Served) -> bytes:
        assert self.answers is None, "asked once"
        assert not self.flows, "no engine is at work any more"
        self.answers = answers
        return b"last"

    def finish(self, last: bytes, served: Served) -> None:
        assert self.answers is not None, "asked for its last bytes first"
        assert last == b"last", "they are what was given"
        assert self.served is None, "finished once"
        self.served = served

    def attach(self, flow: Flow) -> None:
        self.flows.append(flow)

    def detach(self, flow: Flow) -> None:
        self.flows.remove(flow)


class _RecordingSink:
    def __init__(self, reply: RecordingReply, branch: int) -> None:
        self._reply = reply
        self._branch = branch

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        assert self._reply.started is not None, "started first"
        assert self._reply.served is None, "nothing follows the end"
        self._reply.frames.append((self._branch, event))

    def complete(self) -> None:
        """Nothing is held here."""

    def passage(self, tally: Tally) -> Passage | None:
        return None
