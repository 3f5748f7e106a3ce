"""The content blocks of a conversation, as clients send them.

Texts stay as raw JSON: they are copied into the engine's request, never decoded, since they are most of a body.

``cache_control`` is taken anywhere and changes nothing: prompt caching is automatic. Fields that are ``None`` only are
what clients send back from an answer, where they are null.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.core.errors import InvalidRequest
from servery.web.openai.json_body import decode_part


class _Block(msgspec.Struct, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    cache_control: object = None


class TextBlock(_Block, tag="text"):
    text: msgspec.Raw
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
    content: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = None
    toolset_name: None = None


Block = TextBlock | ImageBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock


class MessageIn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: msgspec.Raw


_MESSAGES = msgspec.json.Decoder(list[MessageIn])
_BLOCKS = msgspec.json.Decoder(list[Block])
_SYSTEM_BLOCKS = msgspec.json.Decoder(list[TextBlock])
_RESULT_BLOCKS = msgspec.json.Decoder(list[TextBlock | ImageBlock])


def read_messages(messages: msgspec.Raw) -> list[MessageIn]:
    """Raises InvalidRequest."""
    return decode_part(messages, _MESSAGES, param="messages")


def blocks(content: msgspec.Raw, *, param: str) -> list[Block]:
    """Content as blocks: a bare text is one. Raises InvalidRequest for anything else."""
    return [TextBlock(text=content)] if _is_text(content) else decode_part(content, _BLOCKS, param=param)


def system_blocks(content: msgspec.Raw, *, param: str) -> list[TextBlock]:
    """The same where only texts may stand; nothing gives no block."""
    if is_one_of(content, b"", b"null"):
        return []
    return [TextBlock(text=content)] if _is_text(content) else decode_part(content, _SYSTEM_BLOCKS, param=param)


def result_blocks(result: ToolResultBlock, *, param: str) -> list[TextBlock | ImageBlock]:
    """The same for what a tool gave; nothing gives no block."""
    content = result.content
    if is_one_of(content, b"", b"null"):
        return []
    return [TextBlock(text=content)] if _is_text(content) else decode_part(content, _RESULT_BLOCKS, param=param)


def joined_text(texts: list[msgspec.Raw], *, param: str, prefix: str = "") -> msgspec.Raw:
    """Texts as one, a line break between them: JSON strings are joined without looking into them. Raises
    InvalidRequest for what is no text."""
    for text in texts:
        if not _is_text(text):
            raise InvalidRequest(f"{param}: a text is a string.", param=param)
    if len(texts) == 1 and not prefix:
        return texts[0]
    return msgspec.Raw(b'"' + prefix.encode() + b"\\n".join(bytes(text)[1:-1] for text in texts) + b'"')


def is_one_of(raw: msgspec.Raw, *values: bytes) -> bool:
    """Whether raw JSON is one of these values of at most four bytes; a long one is not copied to find out."""
    view = memoryview(raw)
    return view.nbytes <= 4 and view.tobytes() in values


def _is_text(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[:1].tobytes() == b'"'
