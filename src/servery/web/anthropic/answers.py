"""Anthropic's answers as values: a message, and the events that build it up in a stream."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, UnsetType

from servery.core.serving_path import ServingPath
from servery.core.usage import Usage


class OutputTokensDetails(msgspec.Struct):
    thinking_tokens: int


class UsageShown(msgspec.Struct):
    """``input_tokens`` excludes the cached ones. Caching has no fee, so nothing is ever counted as creating it."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    service_tier: str
    output_tokens_details: OutputTokensDetails | UnsetType = UNSET


class TextShown(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class ThinkingShown(msgspec.Struct, tag_field="type", tag="thinking"):
    """Open models' thinking is not signed; clients expect the field."""

    thinking: str
    signature: str = ""


class ToolUseShown(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


BlockShown = TextShown | ThinkingShown | ToolUseShown


class MessageShown(msgspec.Struct, tag_field="type", tag="message"):
    id: str
    model: str
    content: list[BlockShown]
    usage: UsageShown
    stop_reason: str | None = None
    stop_sequence: str | None = None
    role: str = "assistant"


class MessageStart(msgspec.Struct, tag_field="type", tag="message_start"):
    message: MessageShown


class ContentBlockStart(msgspec.Struct, tag_field="type", tag="content_block_start"):
    index: int
    content_block: BlockShown


class TextDelta(msgspec.Struct, tag_field="type", tag="text_delta"):
    text: str


class ThinkingDelta(msgspec.Struct, tag_field="type", tag="thinking_delta"):
    thinking: str


class SignatureDelta(msgspec.Struct, tag_field="type", tag="signature_delta"):
    signature: str


class InputJsonDelta(msgspec.Struct, tag_field="type", tag="input_json_delta"):
    partial_json: str


class ContentBlockDelta(msgspec.Struct, tag_field="type", tag="content_block_delta"):
    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta


class ContentBlockStop(msgspec.Struct, tag_field="type", tag="content_block_stop"):
    index: int


class StopDelta(msgspec.Struct):
    stop_reason: str
    stop_sequence: str | None


class MessageDelta(msgspec.Struct, tag_field="type", tag="message_delta"):
    delta: StopDelta
    usage: UsageShown


class MessageStop(msgspec.Struct, tag_field="type", tag="message_stop"):
    pass


_encode = msgspec.json.Encoder().encode

StreamEvent = MessageStart | ContentBlockStart | ContentBlockDelta | ContentBlockStop | MessageDelta | MessageStop


def event_frames(events: Iterable[StreamEvent]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (str(event.__struct_config__.tag).encode(), _encode(event)) for event in events
    )


def usage_shown(usage: Usage, path: ServingPath) -> UsageShown:
    shown = UsageShown(
        usage.uncached_prompt_tokens,
        0,
        usage.cached_prompt_tokens,
        usage.generated_tokens,
        "priority" if path is ServingPath.PRIORITY else "standard",
    )
    if usage.reasoning_tokens:
        shown.output_tokens_details = OutputTokensDetails(usage.reasoning_tokens)
    return shown


def message_id(request_id: str) -> str:
    """Anthropic's form, with the request's own digits: either can be told from the other."""
    return "msg_" + request_id.removeprefix("chatcmpl-")


def stop_reason(finish_reason: str | None, *, stop_text: str | None, used_tool: bool) -> str:
    """OpenAI's reason in Anthropic's words. That a stop sequence ended the answer, and which, is known only where the
    engine tells (``stop_text``); otherwise it looks like any end of a turn."""
    match finish_reason:
        case "length":
            return "max_tokens"
        case "content_filter":
            return "refusal"
        case "tool_calls" | "function_call":
            return "tool_use"
        case _:
            if stop_text is not None:
                return "stop_sequence"
            return "tool_use" if used_tool else "end_turn"
