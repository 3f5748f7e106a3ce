"""A conversation in Anthropic's form, rewritten in OpenAI's.

The rewriting looks at one turn at a time, so equal beginnings of two conversations are equal bytes: a conversation
that grows finds the replica whose prompt cache holds its beginning. Texts side by side are joined by a line break, as
engines join the text parts of OpenAI's form.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import assert_never

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.anthropic.blocks import (
    Block,
    ImageBlock,
    MessageIn,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from servery.web.openai.messages import (
    IMAGES_MAX,
    CalledFunction,
    Conversation,
    EngineMessage,
    EngineToolCall,
    ImagePart,
    ImageUrl,
    TextPart,
    check_image_url,
)

_NULL = msgspec.Raw(b"null")


def conversation(
    system: str | list[TextBlock] | None, messages: list[MessageIn], *, thinking_turns: int | None = None
) -> Conversation:
    """Consecutive messages of one role are one turn, as the API documents. Of past thinking, that of the last
    ``thinking_turns`` assistant turns stays in the prompt (None: all). Raises InvalidRequest for a block that its role
    does not allow, and for a conversation without a turn."""
    if not messages:
        raise InvalidRequest("messages: at least one message is needed.", param="messages")
    written: list[EngineMessage] = []
    if system:
        texts = [system] if isinstance(system, str) else [block.text for block in system]
        written.append(EngineMessage("system", _text(texts)))
    for role, turn in groupby(messages, key=lambda message: message.role):
        written += _turn(role, [block for message in turn for block in _blocks(message)])
    _forget_thinking(written, thinking_turns)
    images = _count_images(messages)
    if images > IMAGES_MAX:
        raise InvalidRequest(f"messages: at most {IMAGES_MAX} images are taken.", param="messages")
    return Conversation(msgspec.Raw(msgspec.json.encode(written)), images > 0)


def _blocks(message: MessageIn) -> list[Block]:
    if not message.content:
        raise InvalidRequest("messages: content is not empty.", param="messages")
    return message.blocks


def _turn(role: str, blocks: list[Block]) -> list[EngineMessage]:
    if role == "assistant":
        return [_assistant(blocks)]
    if role == "user":
        return _user(blocks)
    texts = [block.text for block in blocks if isinstance(block, TextBlock)]
    if len(texts) != len(blocks):
        raise InvalidRequest("messages: a system message holds text blocks only.", param="messages")
    return [EngineMessage("system", _text(texts))]


def _assistant(blocks: list[Block]) -> EngineMessage:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[EngineToolCall] = []
    for block in blocks:
        match block:
            case TextBlock():
                texts.append(block.text)
            case ThinkingBlock():
                thoughts.append(block.thinking)
            case RedactedThinkingBlock():
                pass
            case ToolUseBlock():
                calls.append(EngineToolCall(block.id, CalledFunction(block.name, _arguments(block))))
            case ImageBlock() | ToolResultBlock():
                raise InvalidRequest("messages: images and tool results are a user's.", param="messages")
            case _:
                assert_never(block)
    content = _text(texts) if texts or not calls else _NULL
    return EngineMessage("assistant", content, reasoning_content="\n".join(thoughts) or None, tool_calls=calls or None)


def _arguments(block: ToolUseBlock) -> str:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise InvalidRequest("messages: the input of a tool use is an object.", param="messages")
    return arguments.decode()


def _user(blocks: list[Block]) -> list[EngineMessage]:
    """Tool results become messages of their own, in order, and what stands between them a user message. Images in a
    tool result follow it in the next user message: OpenAI's tool messages hold text only."""
    written: list[EngineMessage] = []
    said: list[TextBlock | ImageBlock] = []
    shown: list[TextBlock | ImageBlock] = []
    for block in blocks:
        match block:
            case TextBlock() | ImageBlock():
                said.append(block)
            case ToolResultBlock():
                if said:
                    written.append(_said([*shown, *said]))
                    said, shown = [], []
                written.append(_tool_result(block))
                if isinstance(block.content, list):
                    shown += [part for part in block.content if isinstance(part, ImageBlock)]
            case ThinkingBlock() | RedactedThinkingBlock() | ToolUseBlock():
                raise InvalidRequest("messages: thinking and tool uses are an assistant's.", param="messages")
            case _:
                assert_never(block)
    if shown or said:
        written.append(_said([*shown, *said]))
    return written


def _said(blocks: list[TextBlock | ImageBlock]) -> EngineMessage:
    texts = [block.text for block in blocks if isinstance(block, TextBlock)]
    if len(texts) == len(blocks):
        return EngineMessage("user", _text(texts))
    parts = [TextPart(block.text) if isinstance(block, TextBlock) else _image(block) for block in blocks]
    return EngineMessage("user", msgspec.Raw(msgspec.json.encode(parts)))


def _image(block: ImageBlock) -> ImagePart:
    check_image_url(block.url, param="messages")
    return ImagePart(ImageUrl(block.url))


def _tool_result(block: ToolResultBlock) -> EngineMessage:
    """OpenAI's form has no mark for a tool that failed, so the text says it."""
    content = block.content or ""
    texts = [content] if isinstance(content, str) else [part.text for part in content if isinstance(part, TextBlock)]
    if block.is_error:
        texts = ["Error: " + "\n".join(texts)]
    return EngineMessage("tool", _text(texts), tool_call_id=block.tool_use_id)


def _text(texts: Iterable[str]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode("\n".join(texts)))


def _forget_thinking(written: list[EngineMessage], thinking_turns: int | None) -> None:
    if thinking_turns is None:
        return
    turns = [message for message in written if message.role == "assistant"]
    for message in turns[: max(0, len(turns) - thinking_turns)]:
        message.reasoning_content = None


def _count_images(messages: list[MessageIn]) -> int:
    blocks = [block for message in messages if not isinstance(message.content, str) for block in message.content]
    in_results = [
        part
        for block in blocks
        if isinstance(block, ToolResultBlock) and isinstance(block.content, list)
        for part in block.content
    ]
    return sum(isinstance(block, ImageBlock) for block in [*blocks, *in_results])
