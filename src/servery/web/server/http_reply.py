"""The client's side of one inference request, over HTTP and in the client's dialect."""

from collections.abc import Callable

from servery.core.errors import LimitExceeded, ServeryError
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
from servery.web.presenter import Presenter
from servery.web.server.response_headers import (
    EVENT_STREAM,
    JSON,
    LimitLines,
    budget_headers,
    refusal_headers,
    request_headers,
    route_header,
    served_headers,
    stream_headers,
)
from servery.web.server.response_writer import ResponseWriter, header_lines
from servery.web.server.write_pressure import WritePressure


class HttpReply:
    """What the pipeline writes to. Bytes go out as they come; nothing is gathered here."""

    __slots__ = (
        "_dialect_limits",
        "_headers",
        "_limit_lines",
        "_presenter",
        "_pressure",
        "_stream",
        "_tells_route",
        "_writer",
    )

    def __init__(
        self,
        writer: ResponseWriter,
        pressure: WritePressure,
        presenter: Presenter,
        *,
        request_id: str,
        id_header: bytes = b"",
        stream: bool,
        limit_lines: LimitLines,
        limit_headers: Callable[[LimitReading], list[tuple[bytes, bytes]]] | None = None,
        tells_route: bool = False,
    ) -> None:
        """``limit_headers`` and ``id_header``: those of the client's dialect alone. ``tells_route``: the client may see
        how its request was routed."""
        self._writer = writer
        self._pressure = pressure
        self._presenter = presenter
        self._stream = stream
        self._limit_lines = limit_lines
        self._dialect_limits = limit_headers
        self._tells_route = tells_route
        self._headers = request_headers(request_id, id_header)

    def granted(self, reading: LimitReading, path: ServingPath) -> None:
        self._headers = b"%b%b" % (self._headers, self._limit_lines.of(reading))
        if self._dialect_limits is not None:
            self._headers += header_lines(self._dialect_limits(reading))
        if self._stream:
            self._presenter.admitted(path)

    def near_budget(self, used_share: float) -> None:
        self._headers += budget_headers(used_share)

    def routed(self, weighing: Weighing) -> None:
        if self._tells_route:
            self._headers += route_header(weighing.explain())

    def start(self, start: StreamStart) -> None:
        self._writer.start(200, b"%b%b%b" % (EVENT_STREAM, self._headers, stream_headers(start)))

    def sink(self, branch: int) -> EventSink:
        return _FrameSink(self._writer, self._presenter, branch)

    def last_bytes(self, answers: list[WholeAnswer], served: Served) -> bytes:
        return self._presenter.stream_end(served) if self._stream else self._presenter.whole(answers, served)

    def finish(self, last: bytes, served: Served) -> None:
        if self._stream:
            if not self._writer.started:
                report = served.report
                self.start(StreamStart(time_to_first_token_s=report.time_to_first_token_s))
            self._writer.end(last)
        else:
            self._writer.whole_of(200, JSON, self._headers, served_headers(served), body=last)

    def refuse(self, error: ServeryError) -> None:
        """Tell the client of a refusal: by its status, or by a frame when a stream has begun."""
        if self._writer.ended:
            return
        if self._writer.started:
            self._writer.end(self._presenter.error_frame(error))
        else:
            headers = JSON + self._headers + refusal_headers(error)
            if isinstance(error, LimitExceeded) and error.reading is not None and self._dialect_limits is not None:
                headers += header_lines(self._dialect_limits(error.reading))
            self._writer.whole(error.status, headers, self._presenter.error(error))

    def attach(self, flow: Flow) -> None:
        self._pressure.attach(flow)

    def detach(self, flow: Flow) -> None:
        self._pressure.detach(flow)


class _FrameSink:
    """From an engine's events to the client's frames, of one branch. Most generated tokens take the short way."""

    __slots__ = ("_branch", "_frames", "_show", "_writer")

    def __init__(self, writer: ResponseWriter, presenter: Presenter, branch: int) -> None:
        self._branch = branch
        self._show = presenter.stream_frame
        self._frames = presenter.plain_frames(branch)
        self._writer = writer

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        self._writer.write(self._show(self._branch, event, read))

    def complete(self) -> None:
        self._writer.hold()

    def passage(self, tally: Tally) -> Passage | None:
        box = self._writer.box_of_chunks
        return None if box is None or self._frames is None else Passage(self._frames, box, tally)
