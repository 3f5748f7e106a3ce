"""What stands in the answers of this dialect, as values: what a client reads, and nothing else."""

import msgspec
from msgspec import UNSET, UnsetType

from servery.web.openai.logprobs import ContentLogprobs, LegacyLogprobs

Logprobs = ContentLogprobs | LegacyLogprobs | None


class PerfMetrics(msgspec.Struct, rename=lambda name: name.replace("_", "-")):
    """The keys are the ``fireworks-`` headers' without that prefix; times in seconds. ``server_tokens_per_second`` are
    generated, from the first to the last; left out where an answer is too short or one of several."""

    prompt_tokens: int
    cached_prompt_tokens: int
    server_time_to_first_token: float
    server_processing_time: float
    server_tokens_per_second: float | UnsetType = UNSET


class CalledFunction(msgspec.Struct):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class ToolCall(msgspec.Struct):
    function: CalledFunction
    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class Delta(msgspec.Struct):
    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    function_call: CalledFunction | UnsetType = UNSET


class Message(msgspec.Struct, kw_only=True):
    role: str = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    function_call: CalledFunction | UnsetType = UNSET


class ChunkChoice(msgspec.Struct):
    index: int
    delta: Delta
    finish_reason: str | None
    logprobs: Logprobs | UnsetType = UNSET


class MessageChoice(msgspec.Struct):
    index: int
    message: Message
    finish_reason: str | None
    logprobs: Logprobs


class TextChoice(msgspec.Struct):
    """Alike in a stream and in a whole answer."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: Logprobs
