"""What is around the choices of an answer: id, time, model, tier, usage; the same for chat and completions.

Written out where values are put in: compiled code puts it together several times faster than a value of it is made and
encoded.
"""

from typing import Final

from servery.core.acyclic import acyclic
from servery.core.errors import ServeryError
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.openai.errors import error_body, error_frame
from servery.web.openai.plain_choice import encode
from servery.web.openai.presentation import Presentation
from servery.web.openai.shown import perf_metrics, service_tier, usage_shown

DONE: Final = b"data: [DONE]\n\n"
_STANDARD_TIER: Final = service_tier(ServingPath.STANDARD)


@acyclic
class Envelope:
    """Written in a request's own words: its id, the model's id as the client gave it. ``created`` is the first
    engine's, and the same in all chunks."""

    __slots__ = ("_after", "_before", "_chunk", "_created", "_shown", "_tier", "_whole")

    def __init__(self, presentation: Presentation, *, chunk: bytes, whole: bytes) -> None:
        self._shown = presentation
        self._chunk = chunk
        self._whole = whole
        self._created = 0
        self._before = b""  # what stands before the choice of a frame; none while it is not known
        self._after = b""
        self._tier = _STANDARD_TIER

    def admitted(self, path: ServingPath) -> None:
        """The tier to show is that of ``path``, whatever was asked for."""
        self._tier = service_tier(path)
        self._before = b""

    def note(self, created: float | None) -> None:
        """Take the time of creation from the first answer that tells it."""
        if not self._created and created:
            self._created = int(created)
            self._before = b""

    @property
    def before(self) -> bytes:
        """What a frame of a stream has before its only choice. All are alike but for that, so this is written once."""
        if not self._before:
            self._before = b"data: %b[" % self._before_choices(self._chunk)
            self._after = b'],"service_tier":"%b"}\n\n' % self._tier
        return self._before

    @property
    def after(self) -> bytes:
        """What it has after that."""
        assert self._before, "what is before it comes first"
        return self._after

    def frame(self, choice: bytes) -> bytes:
        """One frame of a stream; ``choice`` as JSON."""
        return b"%b%b%b" % (self.before, choice, self._after)

    def end(self, served: Served) -> bytes:
        """The last frame, with usage and without choices, unless the client does not want it; and the terminator."""
        if not self._shown.include_usage:
            return DONE
        return b"data: %b\n\n%b" % (self._closed(self._chunk, b"", served), DONE)

    def whole(self, choices: list[bytes], served: Served) -> bytes:
        """A whole answer; ``choices`` as JSON."""
        return self._closed(self._whole, choices[0] if len(choices) == 1 else b",".join(choices), served)

    def error(self, error: ServeryError) -> bytes:
        return error_body(error, self._shown.request_id)

    def error_frame(self, error: ServeryError) -> bytes:
        return error_frame(error, self._shown.request_id)

    def _before_choices(self, kind: bytes) -> bytes:
        shown = self._shown
        return b'{"id":"%b","object":"%b","created":%d,"model":%b,"choices":' % (
            shown.request_id.encode(),
            kind,
            self._created,
            shown.model_json,
        )

    def _closed(self, kind: bytes, choices: bytes, served: Served) -> bytes:
        """All of an answer, with usage. Begins as ``_before_choices``, which is not put together first."""
        shown = self._shown
        return b'{"id":"%b","object":"%b","created":%d,"model":%b,"choices":[%b],"service_tier":"%b","usage":%b%b}' % (
            shown.request_id.encode(),
            kind,
            self._created,
            shown.model_json,
            choices,
            service_tier(served.path),
            usage_shown(served.usage),
            b',"perf_metrics":%b' % encode(perf_metrics(served)) if self._shown.perf_metrics else b"",
        )
