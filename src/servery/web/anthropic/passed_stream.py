"""One answer's stream from an engine that speaks Anthropic's form: shown as it is, but for what is not the client's.

    message_start              →  message_start, with our id and the client's name of the model
    content_block_start ...    →  the same
    message_delta              →  nothing yet
    end, with usage            →  message_delta with what is charged, message_stop

Events are read and written anew, so that only what Anthropic's API knows reaches a client. Of those that differ in
nothing but a piece of text, which nearly all are, only the first is: the others' texts are passed on as they came (see
``servery.engines.plain_frames``).
"""

from typing import assert_never

import msgspec

from servery.core.errors import EngineBroke
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.engines.engine_answer import EngineAnswer
from servery.engines.plain_frames import NEVER, PlainFrame, PlainFrames
from servery.web.anthropic.answers import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageShown,
    MessageStart,
    MessageStop,
    SignatureDelta,
    StopDelta,
    TextDelta,
    ThinkingDelta,
    event_frames,
    message_id,
    usage_shown,
)
from servery.web.openai.plain_frame import PROBE, frame_around, value_pattern
from servery.web.openai.read_answer import read_json

FRAMING = b"event: content_block_delta\ndata: "
"""What stands before the JSON of those that are passed on."""

_TEXT_AT = {key: value_pattern(key) for key in ("text", "thinking", "partial_json")}
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
    """Fed with one engine's events in order. ``path`` is the one on which the request is served; ``plain`` is taught
    how to show events that are like earlier ones."""

    def __init__(self, request_id: str, model: str, *, path: ServingPath, plain: PlainFrames) -> None:
        self._request_id = request_id
        self._model = model
        self._path = path
        self._plain = plain
        self._started = False
        self._stop = _Stop()

    def frame(self, event: bytes, _read: EngineAnswer | None) -> bytes:
        """What the client gets for one event. Raises EngineBroke when it cannot be read."""
        plain = self._plain.of_event(event)
        if plain is not None:
            return plain
        read = read_json(event, _EVENT, otherwise=EngineBroke)
        if isinstance(read, _Stopped):
            self._stop = read.delta
            return b""
        start = self._start()
        if isinstance(read, _Started):
            return start
        if isinstance(read, ContentBlockDelta):
            self._plain.learn(_learned(event, read))
            plain = self._plain.of_event(event)
        return start + (event_frames([read]) if plain is None else plain)

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


def _learned(event: bytes, read: ContentBlockDelta) -> PlainFrame:
    """The frame of which ``event`` is an instance."""
    match read.delta:
        case TextDelta():
            key, probe = "text", ContentBlockDelta(read.index, TextDelta(PROBE))
        case ThinkingDelta():
            key, probe = "thinking", ContentBlockDelta(read.index, ThinkingDelta(PROBE))
        case InputJsonDelta():
            key, probe = "partial_json", ContentBlockDelta(read.index, InputJsonDelta(PROBE))
        case SignatureDelta():
            return NEVER  # there is one in a block, and it is no token
        case _:
            assert_never(read.delta)

    def says_probe(event: bytes) -> bool:
        decoded: object = _EVENT.decode(event)
        return decoded == probe

    head, tail = event_frames([probe]).split(msgspec.json.encode(PROBE))
    return frame_around(event, _TEXT_AT[key], says_probe, client_head=head, client_tail=tail)


def shown_stop(reason: str | None, text: str | None) -> tuple[str, str | None]:
    """Reason and stop sequence. An engine's own word for the end is the end of a turn."""
    shown = reason if reason is not None and reason in _STOP_REASONS else "end_turn"
    return shown, text if shown == "stop_sequence" else None
