"""What is around the choices of an answer: id, time, model, tier, usage; the same for chat and completions."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from servery.core.errors import ServeryError
from servery.core.serving_path import ServingPath
from servery.engines.engine_answer import EngineAnswer
from servery.serving.served import Served
from servery.web.openai.answers import Answer, Choice
from servery.web.openai.errors import error_body, error_frame
from servery.web.openai.presentation import Presentation
from servery.web.openai.shown import perf_metrics, service_tier, usage_shown

DONE: Final = b"data: [DONE]\n\n"
_STANDARD_TIER: Final = service_tier(ServingPath.STANDARD)
_CHOICES: Final = b'"choices":'
_NO_CHOICES: Final = _CHOICES + b"[]"  # only at a key does this occur: inside a JSON string the quotes are escaped
_encode: Final = msgspec.json.Encoder().encode


class Envelope:
    """Written in a request's own words: its id, the model's id as the client gave it. ``created`` is the first
    engine's, and the same in all chunks."""

    __slots__ = ("_after", "_before", "_chunk", "_created", "_shown", "_tier", "_whole")

    def __init__(self, presentation: Presentation, *, chunk: str, whole: str) -> None:
        self._shown = presentation
        self._chunk = chunk
        self._whole = whole
        self._created = 0
        self._before = b""  # what stands before the choices of a frame; none while it is not known
        self._after = b""
        self._tier = _STANDARD_TIER

    def admitted(self, path: ServingPath) -> None:
        """The tier to show is that of ``path``, whatever was asked for."""
        self._tier = service_tier(path)
        self._before = b""

    def note(self, answer: EngineAnswer) -> None:
        """Take the time of creation from the first answer that tells it."""
        if not self._created and answer.created:
            self._created = int(answer.created)
            self._before = b""

    def frame(self, choices: Sequence[Choice]) -> bytes:
        """One frame of a stream. All are alike but for their choices, so what is around these is encoded once."""
        if not self._before:
            before, self._after = _frame(self._answer(self._chunk, ())).split(_NO_CHOICES)
            self._before = before + _CHOICES
        return b"%b%b%b" % (self._before, _encode(choices), self._after)

    def end(self, served: Served) -> bytes:
        """The last frame, with usage and without choices, unless the client does not want it; and the terminator."""
        if not self._shown.include_usage:
            return DONE
        return _frame(self._closed(self._answer(self._chunk, ()), served)) + DONE

    def whole(self, choices: Sequence[Choice], served: Served) -> bytes:
        return _encode(self._closed(self._answer(self._whole, choices), served))

    def error(self, error: ServeryError) -> bytes:
        return error_body(error, self._shown.request_id)

    def error_frame(self, error: ServeryError) -> bytes:
        return error_frame(error, self._shown.request_id)

    def _answer(self, kind: str, choices: Sequence[Choice]) -> Answer:
        shown = self._shown
        return Answer(shown.request_id, kind, self._created, shown.model, choices, self._tier)

    def _closed(self, answer: Answer, served: Served) -> Answer:
        answer.service_tier = service_tier(served.path)
        answer.usage = usage_shown(served)
        answer.perf_metrics = perf_metrics(served) if self._shown.perf_metrics else UNSET
        return answer


def _frame(answer: Answer) -> bytes:
    return b"data: " + _encode(answer) + b"\n\n"
