"""Chat answers: ``chat.completion`` and streams of ``chat.completion.chunk``."""

from msgspec import UNSET

from servery.engines.engine_answer import (
    EngineAnswer,
    EngineChoice,
    EngineMessage,
    EngineToolCall,
)
from servery.engines.plain_frames import PlainFrame
from servery.web.openai.answers import CalledFunction, ChunkChoice, Delta, Message, MessageChoice, ToolCall
from servery.web.openai.envelope import encode
from servery.web.openai.plain_frame import TextKind, learned, plain_text
from servery.web.openai.presentation import Presentation
from servery.web.openai.read_answer import finish_reason, reasoning_text
from servery.web.openai.text_presenter import TextPresenter


class ChatPresenter(TextPresenter):
    """Shows the answer to one chat request; see ``Presenter``."""

    def __init__(self, presentation: Presentation) -> None:
        super().__init__(presentation, chunk=b"chat.completion.chunk", whole=b"chat.completion")
        self._begun = [False] * presentation.branches

    def _frame_choices(self, branch: int, choice: EngineChoice) -> list[ChunkChoice]:
        delta = self._delta(choice)
        if not self._begun[branch]:
            self._begun[branch] = True
            delta.role = "assistant"
            delta.content = "" if delta.content is UNSET else delta.content
        shown = ChunkChoice(branch, delta, self._finish_reason(choice))
        if self._shown.logprobs:
            shown.logprobs = self._logprobs(branch, choice)
        return [shown]

    def _learned(self, branch: int, event: bytes, answer: EngineAnswer) -> PlainFrame | None:
        plain = plain_text(answer) if self._begun[branch] else None
        if plain is None or plain[0] is TextKind.TEXT or self._shown.logprobs:
            return None
        kind = plain[0]
        delta = Delta(content="") if kind is TextKind.CONTENT else Delta(reasoning_content="")
        # Only at a key does this occur: inside a JSON string the quotes are escaped.
        head, tail = self._envelope.frame([ChunkChoice(branch, delta, None)]).split(b'content":""')
        return learned(event, kind, client_head=head + b'content":', client_tail=tail)

    def _delta(self, choice: EngineChoice) -> Delta:
        told = choice.delta or EngineMessage()
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

    def _whole_choice(self, branch: int, choice: EngineChoice) -> bytes:
        told = choice.message or EngineMessage()
        reason = self._finish_reason(choice) or "stop"
        thought = reasoning_text(told)
        if thought is None and not told.tool_calls and not self._views:
            return plain_message(branch, told.content, reason)
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


def plain_message(branch: int, content: str | None, reason: str) -> bytes:
    """A choice that says nothing but a text, as its values are encoded: written out, which is several times faster."""
    return (
        b'{"index":%d,"message":{"role":"assistant","content":%b,"refusal":null},"finish_reason":"%b","logprobs":null}'
        % (branch, encode(content), reason.encode())
    )


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
