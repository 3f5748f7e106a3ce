"""What chat and completions have in common in showing an answer; the rest differs by the shape of a choice."""

from abc import ABC, abstractmethod

from servery.core.errors import ServeryError
from servery.core.serving_path import ServingPath
from servery.engines.engine_answer import EngineAnswer, EngineChoice
from servery.engines.plain_frames import PlainFrame, PlainFrames
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served
from servery.web.openai.answers import Logprobs
from servery.web.openai.envelope import Envelope
from servery.web.openai.logprobs import LogprobView
from servery.web.openai.presentation import Presentation
from servery.web.openai.read_answer import only_choice, read_whole


class TextPresenter(ABC):
    """See ``Presenter``. ``chunk`` and ``whole`` are the ``object`` of a stream's frames and of a whole answer."""

    def __init__(self, presentation: Presentation, *, chunk: bytes, whole: bytes) -> None:
        self._shown = presentation
        self._envelope = Envelope(presentation, chunk=chunk, whole=whole)
        self._plain: list[PlainFrames] = []  # by branch; whole answers have none
        self._views: list[LogprobView] = []
        if presentation.logprobs:
            self._views = [LogprobView(presentation.logprobs) for _ in range(presentation.branches)]

    def admitted(self, path: ServingPath) -> None:
        self._envelope.admitted(path)

    def stream_frame(self, branch: int, event: bytes, read: EngineAnswer | None) -> bytes:
        assert read is not None, "engines answer in OpenAI's form"
        plain = self.plain_frames(branch)
        frame = plain.of_event(event)
        return self._read(branch, event, read, plain) if frame is None else frame

    def plain_frames(self, branch: int) -> PlainFrames:
        while len(self._plain) <= branch:
            self._plain.append(PlainFrames())
        return self._plain[branch]

    def stream_end(self, served: Served) -> bytes:
        return self._envelope.end(served)

    def whole(self, answers: list[WholeAnswer], served: Served) -> bytes:
        """Raises EngineUnavailable when an answer cannot be read."""
        choices = [self._choice_of(branch, whole) for branch, whole in enumerate(answers)]
        return self._envelope.whole(choices, served)

    def error(self, error: ServeryError) -> bytes:
        return self._envelope.error(error)

    def error_frame(self, error: ServeryError) -> bytes:
        return self._envelope.error_frame(error)

    def _choice_of(self, branch: int, whole: WholeAnswer) -> bytes:
        """What ``whole`` says, as JSON."""
        answer = read_whole(whole)
        self._envelope.note(answer.created)
        return self._whole_choice(branch, only_choice(answer) or EngineChoice())

    def _logprobs(self, branch: int, choice: EngineChoice) -> Logprobs:
        return self._views[branch].shown(choice.logprobs) if self._views else None

    def _read(self, branch: int, event: bytes, answer: EngineAnswer, plain: PlainFrames) -> bytes:
        choice = only_choice(answer)
        if choice is None:
            return b""
        self._envelope.note(answer.created)
        learned = self._learned(branch, event, answer)
        frame = None
        if learned is not None:
            plain.learn(learned)
            frame = learned.translated(event)
        return self._envelope.frame(self._frame_choice(branch, choice)) if frame is None else frame

    @abstractmethod
    def _learned(self, branch: int, event: bytes, answer: EngineAnswer) -> PlainFrame | None:
        """How to show an event's like without reading them, where that can be learned."""

    @abstractmethod
    def _frame_choice(self, branch: int, choice: EngineChoice) -> bytes:
        """The choice to show for an event, as JSON."""

    @abstractmethod
    def _whole_choice(self, branch: int, choice: EngineChoice) -> bytes:
        """The choice of a whole answer, as JSON."""
