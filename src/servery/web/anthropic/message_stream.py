"""One answer's stream: OpenAI's chunks in, Anthropic's events out.

    chunk: role                →  message_start
    chunk: content             →  content_block_start (the first), content_block_delta
    chunk: content ...         →  content_block_delta                    ← one for each token: the plain frames
    chunk: tool call           →  content_block_stop, content_block_start, content_block_delta
    chunk: finish_reason       →  content_block_stop
    end, with usage            →  message_delta, message_stop

Blocks are numbered as they open and never overlap: what belongs to another block closes the open one.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.engines.engine_answer import EngineAnswer, EngineChoice, EngineToolCall
from servery.engines.plain_frames import NEVER, PlainFrame
from servery.web.anthropic.answers import (
    BlockShown,
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
    StreamEvent,
    TextDelta,
    TextShown,
    ThinkingDelta,
    ThinkingShown,
    ToolUseShown,
    event_frames,
    message_id,
    stop_reason,
    usage_shown,
)
from servery.web.openai.plain_frame import TextKind, learned, plain_text
from servery.web.openai.read_answer import only_choice, reasoning_text, stop_text

_THINKING = (TextKind.REASONING_CONTENT, TextKind.REASONING)
_EMPTY_OBJECT: Final = msgspec.Raw(b"{}")


class _Open(Enum):
    """What the open block holds."""

    NOTHING = auto()
    TEXT = auto()
    THINKING = auto()
    TOOL_USE = auto()


class MessageStream:
    """Fed with one engine's events in order. ``path`` is the one on which the request is served."""

    def __init__(self, request_id: str, model: str, *, path: ServingPath, shows_thinking: bool) -> None:
        self._request_id = request_id
        self._model = model
        self._path = path
        self._shows_thinking = shows_thinking
        self._started = False
        self._open = _Open.NOTHING
        self._index = -1
        self._tool_index: int | None = None
        self._used_tool = False
        self._finish_reason: str | None = None
        self._stop_text: str | None = None
        self._plain: PlainFrame = NEVER

    def frame(self, event: bytes, read: EngineAnswer | None) -> bytes:
        """What the client gets for one event."""
        assert read is not None, "an engine that began in OpenAI's form goes on in it"
        frame = self._plain.translated(event)
        return self._read(event, read) if frame is None else frame

    def end(self, usage: Usage) -> bytes:
        """The last events, with usage."""
        reason = stop_reason(self._finish_reason, stop_text=self._stop_text, used_tool=self._used_tool)
        stop = StopDelta(reason, self._stop_text if reason == "stop_sequence" else None)
        events = [*self._start(), *self._close(), MessageDelta(stop, usage_shown(usage, self._path)), MessageStop()]
        return event_frames(events)

    def _read(self, event: bytes, answer: EngineAnswer) -> bytes:
        choice = only_choice(answer)
        if choice is None:
            return b""
        events = [*self._start(), *self._translated(choice)]
        if choice.finish_reason is not None:
            self._finish_reason = choice.finish_reason
            self._stop_text = stop_text(answer)
            events += self._close()
        self._learn(event, answer)
        return event_frames(events)

    def _start(self) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        usage = usage_shown(Usage(), self._path)
        return [MessageStart(MessageShown(message_id(self._request_id), self._model, [], usage))]

    def _translated(self, choice: EngineChoice) -> list[StreamEvent]:
        delta = choice.delta
        if delta is None:
            return []
        events: list[StreamEvent] = []
        if thought := reasoning_text(delta):
            events += self._opened(_Open.THINKING, ThinkingShown(""))
            if self._shows_thinking:
                events.append(ContentBlockDelta(self._index, ThinkingDelta(thought)))
        if delta.content:
            events += self._opened(_Open.TEXT, TextShown(""))
            events.append(ContentBlockDelta(self._index, TextDelta(delta.content)))
        for call in delta.tool_calls or ():
            events += self._called(call)
        return events

    def _called(self, call: EngineToolCall) -> list[StreamEvent]:
        """A fragment of a tool call; the first one of a call opens its block."""
        index = call.index or 0
        events: list[StreamEvent] = []
        if self._open is not _Open.TOOL_USE or self._tool_index != index:
            call_id = call.id or f"toolu_{self._request_id.removeprefix('chatcmpl-')}_{index}"
            events += self._close()
            events += self._opened(_Open.TOOL_USE, ToolUseShown(call_id, call.function.name or "", _EMPTY_OBJECT))
            self._tool_index = index
            self._used_tool = True
        if call.function.arguments:
            events.append(ContentBlockDelta(self._index, InputJsonDelta(call.function.arguments)))
        return events

    def _opened(self, what: _Open, block: BlockShown) -> list[StreamEvent]:
        """Events that leave a block of this kind open."""
        if self._open is what:
            return []
        events = self._close()
        self._open = what
        self._index += 1
        return [*events, ContentBlockStart(self._index, block)]

    def _close(self) -> list[StreamEvent]:
        closed, self._open, self._plain = self._open, _Open.NOTHING, NEVER
        match closed:
            case _Open.NOTHING:
                return []
            case _Open.THINKING:
                return [ContentBlockDelta(self._index, SignatureDelta("")), ContentBlockStop(self._index)]
            case _Open.TEXT | _Open.TOOL_USE:
                return [ContentBlockStop(self._index)]

    def _learn(self, event: bytes, answer: EngineAnswer) -> None:
        plain = plain_text(answer)
        if plain is None:
            return
        kind = plain[0]
        delta: TextDelta | ThinkingDelta
        if kind is TextKind.CONTENT and self._open is _Open.TEXT:
            delta = TextDelta("")
        elif kind in _THINKING and self._open is _Open.THINKING and self._shows_thinking:
            delta = ThinkingDelta("")
        else:
            return
        head, tail = event_frames([ContentBlockDelta(self._index, delta)]).split(b'""')
        self._plain = learned(event, kind, client_head=head, client_tail=tail)
