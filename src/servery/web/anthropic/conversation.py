"""A conversation in Anthropic's form, rewritten in OpenAI's.

The rewriting looks at one turn at a time, so equal beginnings of two conversations are equal bytes: a conversation
that grows finds the replica whose prompt cache holds its beginning. Texts side by side are joined by a line break, as
engines join the text parts of OpenAI's form.
"""

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
    blocks,
    is_one_of,
    joined_text,
    result_blocks,
    system_blocks,
)
from servery.web.openai.message_shapes import (
    CalledFunction,
    Conversation,
    EngineMessage,
    EngineToolCall,
    ImagePart,
    ImageUrl,
)
from servery.web.openai.messages import IMAGES_MAX, array_of, check_image_url

_NULL = msgspec.Raw(b"null")
_PARAM = "messages"


class Rewritten(Conversation, frozen=True, kw_only=True):
    """``system`` is the text before all turns; ``tells_failures``: a tool's result is marked as an error."""

    system: msgspec.Raw | None
    tells_failures: bool


def conversation(system: msgspec.Raw, messages: list[MessageIn], *, thinking_turns: int | None = None) -> Rewritten:
    """Consecutive messages of one role are one turn, as the API documents. Of past thinking, that of the last
    ``thinking_turns`` assistant turns stays in the prompt (None: all). Raises InvalidRequest for a block that its role
    does not allow, and for a conversation without a turn."""
    if not messages:
        raise InvalidRequest("messages: at least one message is needed.", param=_PARAM)
    written: list[EngineMessage] = []
    texts = [block.text for block in system_blocks(system, param="system")]
    told = joined_text(texts, param="system") if texts else None
    if told is not None:
        written.append(EngineMessage("system", told))
    images, tells_failures = 0, False
    for role, content in _turns(messages):
        turn = _turn(role, content)
        written += turn.messages
        images += turn.images
        tells_failures = tells_failures or turn.tells_failures
    if images > IMAGES_MAX:
        raise InvalidRequest(f"messages: at most {IMAGES_MAX} images are taken.", param=_PARAM)
    _forget_thinking(written, thinking_turns)
    array, last_message = array_of([msgspec.json.encode(message) for message in written])
    return Rewritten(
        messages=array,
        has_images=images > 0,
        last_message=last_message,
        system=told,
        tells_failures=tells_failures,
    )


class _Turn(msgspec.Struct):
    messages: list[EngineMessage]
    images: int = 0
    tells_failures: bool = False


def _turns(messages: list[MessageIn]) -> list[tuple[str, list[Block]]]:
    turns: list[tuple[str, list[Block]]] = []
    for index, message in enumerate(messages):
        content = _content(index, message)
        if turns and turns[-1][0] == message.role:
            turns[-1][1].extend(content)
        else:
            turns.append((message.role, content))
    return turns


def _content(index: int, message: MessageIn) -> list[Block]:
    content = blocks(message.content, param=f"messages[{index}].content")
    if not content or is_one_of(message.content, b'""'):
        raise InvalidRequest(f"messages[{index}].content: is not empty.", param=f"messages[{index}].content")
    return content


def _turn(role: str, content: list[Block]) -> _Turn:
    if len(content) == 1 and isinstance(content[0], TextBlock):  # most turns, whosever
        return _Turn([EngineMessage(role, _text([content[0]]))])
    if role == "assistant":
        return _Turn([_assistant(content)])
    if role == "user":
        return _user(content)
    texts = [block for block in content if isinstance(block, TextBlock)]
    if len(texts) != len(content):
        raise InvalidRequest("messages: a system message holds text blocks only.", param=_PARAM)
    return _Turn([EngineMessage("system", _text(texts))])


def _assistant(content: list[Block]) -> EngineMessage:
    texts: list[TextBlock] = []
    thoughts: list[str] = []
    calls: list[EngineToolCall] = []
    for block in content:
        match block:
            case TextBlock():
                texts.append(block)
            case ThinkingBlock():
                thoughts.append(block.thinking)
            case RedactedThinkingBlock():
                pass
            case ToolUseBlock():
                calls.append(EngineToolCall(block.id, CalledFunction(block.name, _arguments(block))))
            case ImageBlock() | ToolResultBlock():
                raise InvalidRequest("messages: images and tool results are a user's.", param=_PARAM)
            case _:
                assert_never(block)
    written = _text(texts) if texts or not calls else _NULL
    return EngineMessage("assistant", written, reasoning_content="\n".join(thoughts) or None, tool_calls=calls or None)


def _arguments(block: ToolUseBlock) -> str:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise InvalidRequest("messages: the input of a tool use is an object.", param=_PARAM)
    return arguments.decode()


def _user(content: list[Block]) -> _Turn:
    """Tool results become messages of their own, in order, and what stands between them a user message. Images in a
    tool result follow it in the next user message: OpenAI's tool messages hold text only."""
    turn = _Turn([])
    said: list[TextBlock | ImageBlock] = []
    shown: list[TextBlock | ImageBlock] = []
    for block in content:
        match block:
            case TextBlock():
                said.append(block)
            case ImageBlock():
                said.append(block)
                turn.images += 1
            case ToolResultBlock():
                if said:
                    turn.messages.append(_said([*shown, *said]))
                    said, shown = [], []
                parts = result_blocks(block, param=_PARAM)
                images = [part for part in parts if isinstance(part, ImageBlock)]
                turn.messages.append(_tool_result(block, [part for part in parts if isinstance(part, TextBlock)]))
                turn.images += len(images)
                turn.tells_failures = turn.tells_failures or bool(block.is_error)
                shown += images
            case ThinkingBlock() | RedactedThinkingBlock() | ToolUseBlock():
                raise InvalidRequest("messages: thinking and tool uses are an assistant's.", param=_PARAM)
            case _:
                assert_never(block)
    if shown or said:
        turn.messages.append(_said([*shown, *said]))
    return turn


def _said(content: list[TextBlock | ImageBlock]) -> EngineMessage:
    texts = [block for block in content if isinstance(block, TextBlock)]
    if len(texts) == len(content):
        return EngineMessage("user", _text(texts))
    parts = [
        {"type": "text", "text": _text([block])} if isinstance(block, TextBlock) else _image(block) for block in content
    ]
    return EngineMessage("user", msgspec.Raw(msgspec.json.encode(parts)))


def _image(block: ImageBlock) -> ImagePart:
    check_image_url(block.url, param=_PARAM)
    return ImagePart(ImageUrl(block.url))


def _tool_result(block: ToolResultBlock, texts: list[TextBlock]) -> EngineMessage:
    """OpenAI's form has no mark for a tool that failed, so the text says it."""
    prefix = "Error: " if block.is_error else ""
    content = joined_text([text.text for text in texts], param=_PARAM, prefix=prefix)
    return EngineMessage("tool", content, tool_call_id=block.tool_use_id)


def _text(texts: list[TextBlock]) -> msgspec.Raw:
    return joined_text([block.text for block in texts], param=_PARAM)


def _forget_thinking(written: list[EngineMessage], thinking_turns: int | None) -> None:
    if thinking_turns is None:
        return
    turns = [message for message in written if message.role == "assistant"]
    for message in turns[: max(0, len(turns) - thinking_turns)]:
        message.reasoning_content = None
