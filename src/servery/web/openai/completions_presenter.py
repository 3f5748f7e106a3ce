"""Completions: ``text_completion``, whole or in a stream of the same shape."""

from typing import Final

from servery.engines.engine_answer import (
    EngineAnswer,
    EngineChoice,
)
from servery.engines.plain_frames import PlainFrame
from servery.web.openai.answers import TextChoice
from servery.web.openai.plain_choice import encode
from servery.web.openai.plain_frame import TextKind, learned, plain_text
from servery.web.openai.presentation import Presentation
from servery.web.openai.read_answer import finish_reason
from servery.web.openai.text_presenter import TextPresenter

_KIND: Final = b"text_completion"


class CompletionsPresenter(TextPresenter):
    """Shows the answer to one completion request; see ``Presenter``."""

    def __init__(self, presentation: Presentation) -> None:
        super().__init__(presentation, chunk=_KIND, whole=_KIND)

    def _frame_choice(self, branch: int, choice: EngineChoice) -> bytes:
        return encode(self._choice(branch, choice))

    def _whole_choice(self, branch: int, choice: EngineChoice) -> bytes:
        shown = self._choice(branch, choice)
        shown.finish_reason = shown.finish_reason or "stop"
        return encode(shown)

    def _learned(self, branch: int, event: bytes, answer: EngineAnswer) -> PlainFrame | None:
        plain = plain_text(answer)
        if plain is None or plain[0] is not TextKind.TEXT or self._shown.logprobs:
            return None
        head = b'%b{"index":%d,"text":' % (self._envelope.before, branch)
        tail = b',"finish_reason":null,"logprobs":null}' + self._envelope.after
        return learned(event, TextKind.TEXT, client_head=head, client_tail=tail)

    def _choice(self, branch: int, choice: EngineChoice) -> TextChoice:
        logprobs = self._logprobs(branch, choice)
        return TextChoice(branch, choice.text or "", finish_reason(choice.finish_reason), logprobs)
