"""The content blocks of a conversation, as clients send them.

``cache_control`` is taken anywhere and changes nothing: prompt caching is automatic. Fields that are ``None`` only are
what clients send back from an answer, where they are null.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class _Block(msgspec.Struct, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    cache_control: object = None


class TextBlock(_Block, tag="text"):
    text: str
    citations: Annotated[list[object], Meta(max_length=0)] | None = None


class Base64Source(msgspec.Struct, tag_field="type", tag="base64", forbid_unknown_fields=True):
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str


class UrlSource(msgspec.Struct, tag_field="type", tag="url", forbid_unknown_fields=True):
    url: str


class ImageBlock(_Block, tag="image"):
    source: Base64Source | UrlSource

    @property
    def url(self) -> str:
        source = self.source
        return source.url if isinstance(source, UrlSource) else f"data:{source.media_type};base64,{source.data}"


class ThinkingBlock(_Block, tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinkingBlock(_Block, tag="redacted_thinking"):
    """Thinking that only the service which wrote it can read: taken, and left out of the prompt."""

    data: str


class _DirectCaller(msgspec.Struct, tag_field="type", tag="direct"):
    pass


class ToolUseBlock(_Block, tag="tool_use"):
    id: Annotated[str, Meta(min_length=1)]
    name: str
    input: msgspec.Raw
    caller: _DirectCaller | None = None
    toolset_name: None = None


class ToolResultBlock(_Block, tag="tool_result"):
    tool_use_id: Annotated[str, Meta(min_length=1)]
    content: str | list[TextBlock | ImageBlock] | None = None
    is_error: bool | None = None
    toolset_name: None = None


Block = TextBlock | ImageBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock


class MessageIn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        return [TextBlock(text=self.content)] if isinstance(self.content, str) else self.content
