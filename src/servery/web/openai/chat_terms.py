"""What a chat request asks, understood: its messages, and on what terms."""

from typing import Final

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.web.openai import asked
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_presenter import ChatPresenter
from servery.web.openai.message_shapes import Message
from servery.web.openai.messages import conversation
from servery.web.openai.presentation import LogprobsAsked
from servery.web.openai.reasoning import UNCHANGED, reasoning, with_options
from servery.web.openai.structured_output import structure
from servery.web.openai.terms import Terms
from servery.web.openai.tools import Toolbox, toolbox, toolbox_of_functions
from servery.web.presenter import ParsedCall

_CHAT: Final = Endpoint.CHAT  # looked up for each request; from its class a member comes a good deal slower
_NO_TOOLS: Final = Toolbox()


class ChatTerms(Terms):
    """Of a body's ``fields``. ``generation`` is what they ask for, their messages with it."""

    __slots__ = ("_function_calls", "_history", "generation")

    def __init__(self, fields: ChatBody) -> None:
        super().__init__(fields)
        self._function_calls = bool(fields.functions)
        self._history = fields.reasoning_history
        self.generation = _generation(fields, self.logprobs)

    def generation_of(self, messages: list[Message]) -> Generation:
        """The same asked of these messages. Raises InvalidRequest."""
        talk = conversation(messages, self._history)
        return self.generation.told(talk.messages, last_message=talk.last_message, has_images=talk.has_images)

    def forget_messages(self) -> None:
        self.generation = self.generation.told(b"", last_message=None, has_images=False)

    def call(self, generation: Generation, headers: dict[str, str], *, request_id: str) -> ParsedCall:
        """``generation`` asked for on these terms. Raises InvalidRequest."""
        work = self.choices(generation)
        request = self.request(headers, request_id=request_id, endpoint=_CHAT, work=work)
        shown = self.presentation(request, function_calls=self._function_calls)
        return ParsedCall(request, ChatPresenter(shown))


def _generation(fields: ChatBody, logprobs: LogprobsAsked) -> Generation:
    talk = conversation(fields.messages, fields.reasoning_history)
    tools = _tools(fields)
    effort = UNCHANGED
    if fields.reasoning_effort is not None or fields.thinking is not None:
        effort = reasoning(fields.reasoning_effort, fields.thinking)
    if fields.chat_template_kwargs is not None:
        effort = with_options(effort, fields.chat_template_kwargs)
    return Generation(
        messages=talk.messages,
        tools=tools.tools,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=_parallel_tool_calls(fields),
        structure=structure(fields.response_format),
        max_tokens=asked.tokens_max(fields),
        stop=asked.stops(fields),
        logprobs=bool(logprobs),
        top_logprobs=logprobs.alternatives,
        sampling=asked.sampling(fields),
        template_options=effort.template_options,
        reasoning_effort=effort.effort,
        has_images=talk.has_images,
        last_message=talk.last_message,
    )


def _tools(fields: ChatBody) -> Toolbox:
    if not fields.functions and fields.function_call is None and not fields.tools and fields.tool_choice is None:
        return _NO_TOOLS
    if not fields.functions:
        if fields.function_call not in (None, "auto", "none"):
            raise InvalidRequest("function_call needs functions.", param="function_call")
        return toolbox(fields.tools, fields.tool_choice)
    if fields.tools or fields.tool_choice is not None:
        raise InvalidRequest("functions and tools exclude each other.", param="functions")
    return toolbox_of_functions(fields.functions, fields.function_call)


def _parallel_tool_calls(fields: ChatBody) -> bool | None:
    if fields.functions:
        return False  # the older spelling knows a single call
    return fields.parallel_tool_calls if fields.tools else None
