"""Chat answers: ``chat.completion`` and streams of ``chat.completion.chunk``."""

from msgspec import UNSET

from servery.engines.engine_answer import (
    EngineAnswer,
    EngineChoice,
    EngineMessage,
    EngineToolCall,
)
from servery.engines.plain_frames import PlainFrame
from servery.engines.whole_answer import WholeAnswer
from servery.web.openai.answers import CalledFunction, ChunkChoice, Delta, Message, MessageChoice, ToolCall
from servery.web.openai.plain_choice import encode, plain_delta, plain_message
from servery.web.openai.plain_frame import TextKind, learned, plain_text
from servery.web.openai.presentation import Presentation
from servery.web.openai.read_answer import finish_reason, reasoning_text
from servery.web.openai.text_presenter import TextPresenter


class ChatPresenter(TextPresenter):
    """Shows the answer to one chat request; see ``Presenter``."""

    def __init__(self, presentation: Presentation) -> None:
        super().__init__(presentation, chunk=b"chat.completion.chunk", whole=b"chat.completion")
        self._begun: list[int] = []  # branches of which something was shown

    def _frame_choice(self, branch: int, choice: EngineChoice) -> bytes:
        told, reason = choice.delta or EngineMessage(), self._finish_reason(choice)
        begins = branch not in self._begun
        if begins:
            self._begun.append(branch)
        if not told.tool_calls and not self._views and reasoning_text(told) is None:
            return plain_delta(branch, told.content, reason, begins=begins)
        delta = self._delta(told)
        if begins:
            delta.role = "assistant"
            delta.content = "" if delta.content is UNSET else delta.content
        shown = ChunkChoice(branch, delta, reason)
        if self._views:
            shown.logprobs = self._logprobs(branch, choice)
        return encode(shown)

    def _learned(self, branch: int, event: bytes, answer: EngineAnswer) -> PlainFrame | None:
        plain = plain_text(answer) if branch in self._begun and not self._views else None
        if plain is None or plain[0] is TextKind.TEXT:
            return None
        kind = plain[0]
        key = b"content" if kind is TextKind.CONTENT else b"reasoning_content"
        head = b'%b{"index":%d,"delta":{"%b":' % (self._envelope.before, branch, key)
        return learned(event, kind, client_head=head, client_tail=b'},"finish_reason":null}' + self._envelope.after)

    def _delta(self, told: EngineMessage) -> Delta:
        delta = Delta()
        if told.content is not None:
            delta.content = told.content
        if (thought := reasoning_text(told)) is not None:
            delta.reasoning_content = thought
        if told.tool_calls and self._shown.function_calls:
            if not told.tool_calls[0].index:  # the older spelling knows a single call
                delta.function_call = _function(told.tool_calls[0])
        elif told.tool_calls:
            delta.tool_calls = [_fragment(number, call) for number, call in enumerate(told.tool_calls)]
        return delta

    def _choice_of(self, branch: int, whole: WholeAnswer) -> bytes:
        plain = whole.plain
        if plain is None or self._views:
            return super()._choice_of(branch, whole)
        self._envelope.note(plain.created)
        return plain_message(branch, plain.text_json, plain.finish_reason)

    def _whole_choice(self, branch: int, choice: EngineChoice) -> bytes:
        told = choice.message or EngineMessage()
        reason = self._finish_reason(choice) or "stop"
        thought = reasoning_text(told)
        if thought is None and not told.tool_calls and not self._views:
            return plain_message(branch, encode(told.content), reason)
        message = Message(content=(told.content or None) if told.tool_calls else told.content)
        if thought is not None:
            message.reasoning_content = thought
        if told.tool_calls and self._shown.function_calls:
            message.function_call = _function(told.tool_calls[0])
        elif told.tool_calls:
            message.tool_calls = [self._tool_call(branch, *call) for call in enumerate(told.tool_calls)]
        return encode(MessageChoice(branch, message, reason, self._logprobs(branch, choice)))

    def _tool_call(self, branch: int, number: int, call: EngineToolCall) -> ToolCall:
        call_id = call.id or f"call_{self._shown.request_id.removeprefix('chatcmpl-')}_{branch}_{number}"
        function = CalledFunction(call.function.name or "", call.function.arguments or "")
        return ToolCall(function, id=call_id, type="function")

    def _finish_reason(self, choice: EngineChoice) -> str | None:
        reason = finish_reason(choice.finish_reason)
        return "function_call" if reason == "tool_calls" and self._shown.function_calls else reason


def _function(call: EngineToolCall) -> CalledFunction:
    function = CalledFunction()
    if call.function.name is not None:
        function.name = call.function.name
    if call.function.arguments is not None:
        function.arguments = call.function.arguments
    return function


def _fragment(number: int, call: EngineToolCall) -> ToolCall:
    """The first fragment of a call carries its id and type."""
    fragment = ToolCall(_function(call), index=number if call.index is None else call.index)
    if call.id:
        fragment.id = call.id
        fragment.type = "function"
    return fragment
