"""Completions: ``text_completion``, whole or in a stream of the same shape."""

from servery.core.errors import EngineUnavailable, ServeryError
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.openai.answers import TextChoice
from servery.web.openai.engine_answer import (
    EngineAnswer,
    EngineChoice,
    finish_reason,
    read_event,
    read_whole,
)
from servery.web.openai.envelope import Envelope
from servery.web.openai.logprobs import LogprobView
from servery.web.openai.plain_frame import NEVER, PlainFrame, TextKind, learned, plain_text
from servery.web.openai.presentation import Presentation

_KIND = "text_completion"


class CompletionsPresenter:
    """Shows the answer to one completion request; see ``Presenter``."""

    def __init__(self, presentation: Presentation) -> None:
        self._shown = presentation
        self._envelope = Envelope(presentation, chunk=_KIND, whole=_KIND)
        self._plain: list[PlainFrame] = [NEVER] * presentation.branches
        self._logprobs = [LogprobView(presentation.logprobs) for _ in range(presentation.branches)]

    def admitted(self, path: ServingPath) -> None:
        self._envelope.admitted(path)

    def stream_frame(self, branch: int, event: bytes) -> bytes:
        """Raises EngineBroke when ``event`` cannot be read."""
        frame = self._plain[branch].translated(event)
        return self._read(branch, event) if frame is None else frame

    def stream_end(self, served: Served) -> bytes:
        return self._envelope.end(served)

    def whole(self, answers: list[bytes], served: Served) -> bytes:
        """Raises EngineUnavailable when an answer cannot be read."""
        choices: list[TextChoice] = []
        for branch, text in enumerate(answers):
            answer = read_whole(text, otherwise=EngineUnavailable)
            self._envelope.note(answer)
            choice = self._choice(branch, answer.choice or EngineChoice())
            choice.finish_reason = choice.finish_reason or "stop"
            choices.append(choice)
        return self._envelope.whole(choices, served)

    def error(self, error: ServeryError) -> bytes:
        return self._envelope.error(error)

    def error_frame(self, error: ServeryError) -> bytes:
        return self._envelope.error_frame(error)

    def _read(self, branch: int, event: bytes) -> bytes:
        answer = read_event(event)
        if answer is None or answer.choice is None:
            return b""
        self._envelope.note(answer)
        self._learn(branch, event, answer)
        return self._envelope.frame([self._choice(branch, answer.choice)])

    def _learn(self, branch: int, event: bytes, answer: EngineAnswer) -> None:
        plain = plain_text(answer)
        if plain is None or plain[0] is not TextKind.TEXT or self._shown.logprobs:
            return
        # Only at a key does this occur: inside a JSON string the quotes are escaped.
        head, tail = self._envelope.frame([TextChoice(branch, "", None, None)]).split(b'"text":""')
        self._plain[branch] = learned(event, TextKind.TEXT, client_head=head + b'"text":', client_tail=tail)

    def _choice(self, branch: int, choice: EngineChoice) -> TextChoice:
        logprobs = self._logprobs[branch].shown(choice.logprobs)
        return TextChoice(branch, choice.text or "", finish_reason(choice.finish_reason), logprobs)
