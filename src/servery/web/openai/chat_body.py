"""The body of a chat request."""

from typing import Literal

from servery.web.openai.message_shapes import Message, ReasoningHistory
from servery.web.openai.reasoning import Effort, Thinking
from servery.web.openai.request_fields import GenerationFields
from servery.web.openai.template_options import TemplateOptions
from servery.web.openai.tools import Function, FunctionCall, Tool, ToolChoice


class ChatBody(GenerationFields, frozen=True, kw_only=True):
    messages: list[Message]
    tools: list[Tool] | None = None
    tool_choice: ToolChoice = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: FunctionCall = None
    reasoning_effort: Effort = None
    reasoning_history: ReasoningHistory = None
    thinking: Thinking | None = None
    chat_template_kwargs: TemplateOptions | None = None
    modalities: list[Literal["text"]] | None = None
