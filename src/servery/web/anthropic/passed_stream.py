"""One answer's stream from an engine that speaks Anthropic's form: shown as it is, but for what is not the client's.

    message_start              →  message_start, with our id and the client's name of the model
    content_block_start ...    →  the same
    message_delta              →  nothing yet
    end, with usage            →  message_delta with what is charged, message_stop

Each event is read and written anew, so that only what Anthropic's API knows reaches a client.
"""

import msgspec

from servery.core.errors import EngineBroke
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.web.anthropic.answers import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    MessageDelta,
    MessageShown,
    MessageStart,
    MessageStop,
    StopDelta,
    event_frames,
    message_id,
    usage_shown,
)
from servery.web.openai.engine_answer import read_json

_STOP_REASONS = frozenset({"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"})


class _Started(msgspec.Struct, tag_field="type", tag="message_start"):
    """Whatever it tells, ours is shown."""


class _Stop(msgspec.Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Stopped(msgspec.Struct, tag_field="type", tag="message_delta"):
    delta: _Stop


_EVENT = msgspec.json.Decoder(_Started | ContentBlockStart | ContentBlockDelta | ContentBlockStop | _Stopped)


class PassedStream:
    """Fed with one engine's events in order. ``path`` is the one on which the request is served."""

    def __init__(self, request_id: str, model: str, *, path: ServingPath) -> None:
        self._request_id = request_id
        self._model = model
        self._path = path
        self._started = False
        self._stop = _Stop()

    def frame(self, event: bytes) -> bytes:
        """What the client gets for one event. Raises EngineBroke when it cannot be read."""
        read = read_json(event, _EVENT, otherwise=EngineBroke)
        if isinstance(read, _Stopped):
            self._stop = read.delta
            return b""
        start = self._start()
        return start if isinstance(read, _Started) else start + event_frames([read])

    def end(self, usage: Usage) -> bytes:
        """The last events, with usage."""
        reason, text = shown_stop(self._stop.stop_reason, self._stop.stop_sequence)
        stop = StopDelta(reason, text)
        return self._start() + event_frames([MessageDelta(stop, usage_shown(usage, self._path)), MessageStop()])

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        usage = usage_shown(Usage(), self._path)
        return event_frames([MessageStart(MessageShown(message_id(self._request_id), self._model, [], usage))])


def shown_stop(reason: str | None, text: str | None) -> tuple[str, str | None]:
    """Reason and stop sequence. An engine's own word for the end is the end of a turn."""
    shown = reason if reason is not None and reason in _STOP_REASONS else "end_turn"
    return shown, text if shown == "stop_sequence" else None
