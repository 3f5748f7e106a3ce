"""Anthropic's messages, whole or as a stream of events."""

import msgspec

from servery.core.errors import EngineUnavailable, ServeryError
from servery.core.serving_path import ServingPath
from servery.engines.engine_answer import EngineAnswer, EngineMessage, EngineToolCall
from servery.engines.plain_frames import PlainFrames
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served
from servery.web.anthropic.answers import (
    BlockShown,
    MessageShown,
    TextShown,
    ThinkingShown,
    ToolUseShown,
    message_id,
    stop_reason,
    usage_shown,
)
from servery.web.anthropic.errors import error_body, error_frame
from servery.web.anthropic.message_stream import MessageStream
from servery.web.anthropic.passed_stream import FRAMING, PassedStream, shown_stop
from servery.web.openai.read_answer import only_choice, read_json, read_whole, reasoning_text, stop_text

_EMPTY_OBJECT = msgspec.Raw(b"{}")


class _PassedMessage(msgspec.Struct, tag_field="type", tag="message"):
    content: list[BlockShown]
    stop_reason: str | None = None
    stop_sequence: str | None = None


_PASSED = msgspec.json.Decoder(_PassedMessage)


class MessagesPresenter:
    """Shows the answer to one messages request, which has a single choice; see ``Presenter``.

    Engines answer in OpenAI's form, or in Anthropic's where the request was passed to them as it was. In which is known
    from who reads the answer: what is in Anthropic's form is not read before it is here.
    """

    def __init__(self, request_id: str, model: str, *, shows_thinking: bool) -> None:
        self._request_id = request_id
        self._model = model
        self._shows_thinking = shows_thinking
        self._path = ServingPath.STANDARD
        self._plain = PlainFrames(FRAMING)
        self._stream: MessageStream | PassedStream | None = None

    def admitted(self, path: ServingPath) -> None:
        self._path = path

    def stream_frame(self, branch: int, event: bytes, read: EngineAnswer | None) -> bytes:
        """Raises EngineBroke when an ``event`` that was not read cannot be."""
        if self._stream is None:
            self._stream = self._new_stream(passed=read is None)
        return self._stream.frame(event, read)

    def plain_frames(self, branch: int) -> PlainFrames:
        """Of a passed stream; in another, which is translated, none is like another."""
        return self._plain

    def stream_end(self, served: Served) -> bytes:
        stream = self._stream or self._new_stream(passed=False)
        return stream.end(served.usage)

    def whole(self, answers: list[WholeAnswer], served: Served) -> bytes:
        """Raises EngineUnavailable when the answer cannot be read."""
        shown = usage_shown(served.usage, served.path)
        if answers[0].read is None:
            passed = read_json(answers[0].body, _PASSED, otherwise=EngineUnavailable)
            message = MessageShown(message_id(self._request_id), self._model, passed.content, shown)
            message.stop_reason, message.stop_sequence = shown_stop(passed.stop_reason, passed.stop_sequence)
            return msgspec.json.encode(message)
        answer = read_whole(answers[0])
        choice = only_choice(answer)
        told = (choice.message if choice else None) or EngineMessage()
        stop = stop_text(answer)
        reason = stop_reason(choice.finish_reason if choice else None, stop_text=stop, used_tool=bool(told.tool_calls))
        message = MessageShown(message_id(self._request_id), self._model, self._blocks(told), shown)
        message.stop_reason = reason
        message.stop_sequence = stop if reason == "stop_sequence" else None
        return msgspec.json.encode(message)

    def error(self, error: ServeryError) -> bytes:
        return error_body(error, self._request_id)

    def error_frame(self, error: ServeryError) -> bytes:
        return error_frame(error, self._request_id)

    def _new_stream(self, *, passed: bool) -> MessageStream | PassedStream:
        if passed:
            return PassedStream(self._request_id, self._model, path=self._path, plain=self._plain)
        return MessageStream(self._request_id, self._model, path=self._path, shows_thinking=self._shows_thinking)

    def _blocks(self, told: EngineMessage) -> list[BlockShown]:
        blocks: list[BlockShown] = []
        if thought := reasoning_text(told):
            blocks.append(ThinkingShown(thought if self._shows_thinking else ""))
        if told.content:
            blocks.append(TextShown(told.content))
        for number, call in enumerate(told.tool_calls or ()):
            call_id = call.id or f"toolu_{self._request_id.removeprefix('chatcmpl-')}_{number}"
            blocks.append(ToolUseShown(call_id, call.function.name or "", _input(call)))
        return blocks


def _input(call: EngineToolCall) -> msgspec.Raw:
    """The arguments as an object. A model that was cut short, or wrote no JSON object, gives an empty one."""
    text = (call.function.arguments or "").encode()
    try:
        msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return _EMPTY_OBJECT
    return msgspec.Raw(text.strip())
