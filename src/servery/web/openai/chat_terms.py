"""What a chat request asks beside its messages, understood."""

from collections.abc import Mapping
from typing import Final

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.web.openai import asked
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_presenter import ChatPresenter
from servery.web.openai.message_shapes import Message
from servery.web.openai.messages import conversation
from servery.web.openai.reasoning import UNCHANGED, reasoning
from servery.web.openai.structured_output import structure
from servery.web.openai.terms import Terms
from servery.web.openai.tools import Toolbox, toolbox, toolbox_of_functions
from servery.web.presenter import ParsedCall

_CHAT: Final = Endpoint.CHAT  # looked up for each request; from its class a member comes a good deal slower
_NO_TOOLS: Final = Toolbox()


class ChatTerms:
    """Of a body's ``fields``, of which nothing is kept. Raises InvalidRequest for what is not supported."""

    __slots__ = ("_function_calls", "_generation", "_history", "_terms")

    def __init__(self, fields: ChatBody) -> None:
        self._terms = Terms(fields)
        self._generation = _without_messages(fields, self._terms)
        self._history = fields.reasoning_history
        self._function_calls = bool(fields.functions)

    def call(self, messages: list[Message], headers: Mapping[str, str], *, request_id: str) -> ParsedCall:
        """The same asked of these messages. Raises InvalidRequest."""
        talk, terms = conversation(messages, self._history), self._terms
        work = terms.choices(self._generation.told(talk.messages, has_images=talk.has_images))
        request = terms.request(headers, request_id=request_id, endpoint=_CHAT, work=work)
        shown = terms.presentation(request, function_calls=self._function_calls)
        return ParsedCall(request, ChatPresenter(shown))


def _without_messages(fields: ChatBody, terms: Terms) -> Generation:
    tools = _tools(fields)
    effort = UNCHANGED
    if fields.reasoning_effort is not None or fields.thinking is not None:
        effort = reasoning(fields.reasoning_effort, fields.thinking)
    return Generation(
        messages=b"",
        tools=tools.tools,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=_parallel_tool_calls(fields),
        structure=structure(fields.response_format),
        max_tokens=asked.tokens_max(fields),
        stop=asked.stops(fields),
        logprobs=bool(terms.logprobs),
        top_logprobs=terms.logprobs.alternatives,
        sampling=asked.sampling(fields),
        template_options=effort.template_options,
        reasoning_effort=effort.effort,
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
