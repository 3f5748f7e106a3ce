"""Messages as clients send them, and as engines are sent them."""

from typing import Literal

import msgspec


class CalledFunction(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class EchoedFunction(CalledFunction):
    """``parsed_arguments`` are the same arguments, as OpenAI's client has read them; the last are LiteLLM's notes."""

    parsed_arguments: msgspec.Raw = msgspec.Raw()
    provider_specific_fields: msgspec.Raw = msgspec.Raw()


class ToolCall(msgspec.Struct, forbid_unknown_fields=True):
    """``index`` is what clients keep that put together a stream's fragments."""

    function: EchoedFunction
    id: str | None = None
    type: Literal["function"] = "function"
    index: int | None = None
    provider_specific_fields: msgspec.Raw = msgspec.Raw()


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """As received. The last fields are there where a client sends back an answer as it got it: null, or what it has
    noted itself (``parsed``: the content, as OpenAI's client has read it; the last of all is LiteLLM's), which no model
    is told."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: msgspec.Raw = msgspec.Raw()
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None
    refusal: None = None
    audio: None = None
    annotations: list[object] | None = None
    parsed: msgspec.Raw = msgspec.Raw()
    provider_specific_fields: msgspec.Raw = msgspec.Raw()


class TextMessage(msgspec.Struct, forbid_unknown_fields=True):
    """One that says nothing but its content, as nearly all of a talk without tools do."""

    role: Literal["system", "developer", "user", "assistant"]
    content: msgspec.Raw


class OnlyMessages(msgspec.Struct):
    """Of a body that was understood."""

    messages: msgspec.Raw


class Part(msgspec.Struct, tag_field="type", forbid_unknown_fields=True):
    pass


class TextPart(Part, tag="text"):
    text: str


class ImageUrl(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    url: str
    detail: str | None = None
    max_long_side_pixel: int | None = None


class ImagePart(Part, tag="image_url"):
    image_url: ImageUrl


class EngineToolCall(msgspec.Struct):
    id: str
    function: CalledFunction
    type: str = "function"


class EngineMessage(msgspec.Struct, omit_defaults=True):
    """As engines take it. ``content`` null is written where there is none."""

    role: str
    content: msgspec.Raw
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[EngineToolCall] | None = None
    tool_call_id: str | None = None


ReasoningHistory = Literal["disabled", "interleaved", "preserved"] | None


class Conversation(msgspec.Struct, frozen=True):
    """A JSON array in OpenAI's form, and whether any of its messages shows an image. ``last_message``: where in the
    array the last one begins, if that was told."""

    messages: bytes
    has_images: bool = False
    last_message: int | None = None
