"""The conversation: validated, and written anew in one canonical way.

Each message is encoded by itself from its own fields, so a conversation that grows by a turn keeps its bytes up to
there, whatever spaces, key order or nulls the client's JSON has. Replicas' prompt caches are found by that prefix.
Texts are copied as they came, never decoded.
"""

from typing import Final, Literal

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.openai.json_body import decode_part
from servery.web.openai.message_shapes import (
    CalledFunction,
    Conversation,
    EngineMessage,
    EngineToolCall,
    ImagePart,
    Message,
    ReasoningHistory,
    TextMessage,
    TextPart,
    ToolCall,
)

IMAGES_MAX: Final = 30
_IMAGE_URL_SCHEMES = ("https://", "http://", "data:image/")
_ABSENT = (b"", b"null")
_PLAIN_ROLES: Final = {"system": b"system", "developer": b"system", "user": b"user", "assistant": b"assistant"}

_NULL: Final = msgspec.Raw(b"null")
_encode: Final = msgspec.json.Encoder().encode
_PARTS: Final = msgspec.json.Decoder(list[TextPart | ImagePart])


def conversation(messages: list[Message], history: ReasoningHistory = None) -> Conversation:
    """Raises InvalidRequest for a message that its role does not allow.

    ``history`` is which past reasoning stays in the prompt: ``disabled`` none, ``interleaved`` what follows the last
    user message, else all that the client sent (a chat template may still leave out some).
    """
    if not messages:
        raise InvalidRequest("At least one message is needed.", param="messages")
    images = function_calls = 0
    written: list[bytes] = []
    reasoning_from = 0 if history is None else _reasoning_from(messages, history)
    for index, message in enumerate(messages):
        content = bytes(message.content)
        is_text = content.startswith(b'"')
        role = _PLAIN_ROLES.get(message.role) if is_text else None
        if (
            role is not None
            and message.name is None
            and message.reasoning_content is None
            and message.tool_calls is None
            and message.tool_call_id is None
            and message.function_call is None
            and message.annotations is None
        ):  # it says nothing but a text: written out as what follows would encode it
            written.append(_text(role, content))
            continue
        if not is_text:
            images += _images(index, message, content)
        if message.function_call is not None:
            function_calls += 1
        translated = _translated(index, message, function_calls)
        if index < reasoning_from:
            translated.reasoning_content = None
        written.append(_encode(translated))
    if images > IMAGES_MAX:
        raise InvalidRequest(f"A request shows at most {IMAGES_MAX} images.", param="messages")
    return _conversation(written, has_images=images > 0)


def texts(messages: list[TextMessage]) -> Conversation | None:
    """The same of messages that say nothing but a text each; None where there are none, or some say more."""
    written: list[bytes] = []
    for message in messages:
        content = bytes(message.content)
        if not content.startswith(b'"'):
            return None
        written.append(_text(_PLAIN_ROLES[message.role], content))
    return _conversation(written, has_images=False) if written else None


def _text(role: bytes, content: bytes) -> bytes:
    return b'{"role":"%b","content":%b}' % (role, content)


def array_of(written: list[bytes]) -> tuple[bytes, int]:
    """A JSON array of messages, and where in it the last one begins."""
    array = b"[%b]" % (written[0] if len(written) == 1 else b",".join(written))
    return array, len(array) - len(b"]") - len(written[-1])


def _conversation(written: list[bytes], *, has_images: bool) -> Conversation:
    array, last_message = array_of(written)
    return Conversation(array, has_images, last_message)


def _reasoning_from(messages: list[Message], history: Literal["disabled", "interleaved", "preserved"]) -> int:
    """The first message whose reasoning stays."""
    match history:
        case "preserved":
            return 0
        case "disabled":
            return len(messages)
        case "interleaved":
            return max((index for index, message in enumerate(messages) if message.role == "user"), default=0)


def _refusal(index: int, field: str, text: str) -> InvalidRequest:
    return InvalidRequest(text, param=f"messages[{index}].{field}")


def _images(index: int, message: Message, content: bytes) -> int:
    """The number of images in content that is no text. Raises InvalidRequest unless it is parts, or rightly absent."""
    if content in _ABSENT:
        if message.role == "assistant" and (message.tool_calls or message.function_call or message.reasoning_content):
            return 0
        raise _refusal(index, "content", f"A message of role {message.role} needs content.")
    if not content.startswith(b"["):
        raise _refusal(index, "content", "Content is a text or a list of parts.")
    parts = decode_part(content, _PARTS, param=f"messages[{index}].content")
    if not parts:
        raise _refusal(index, "content", "A list of parts is not empty.")
    images = [part for part in parts if isinstance(part, ImagePart)]
    for image in images:
        check_image_url(image.image_url.url, param=f"messages[{index}].content")
    return len(images)


def check_image_url(url: str, *, param: str) -> None:
    """An engine that fetches images itself must not be led to its own files. Raises InvalidRequest."""
    if not url.startswith(_IMAGE_URL_SCHEMES):
        raise InvalidRequest("An image is an http, https or data:image/ URL.", param=param)


def _translated(index: int, message: Message, function_calls: int) -> EngineMessage:
    """``function_calls`` counts the older calls up to here: they have no ids, so the n-th gets n, always the same."""
    role = message.role
    if role == "assistant":
        return _assistant(index, message, function_calls)
    if message.tool_calls or message.function_call or message.reasoning_content or message.annotations:
        raise _refusal(index, "role", "Calls, reasoning and annotations are an assistant's.")
    if role == "tool":
        if not message.tool_call_id:
            raise _refusal(index, "tool_call_id", "A tool's message needs a tool_call_id.")
        return EngineMessage("tool", message.content, message.name, tool_call_id=message.tool_call_id)
    if message.tool_call_id:
        raise _refusal(index, "tool_call_id", "Only a tool's message has a tool_call_id.")
    if role == "function":
        if not function_calls:
            raise _refusal(index, "role", "A function's message follows a function_call.")
        return EngineMessage("tool", message.content, message.name, tool_call_id=f"call_{function_calls}")
    return EngineMessage("system" if role == "developer" else role, message.content, message.name)


def _assistant(index: int, message: Message, function_calls: int) -> EngineMessage:
    if message.annotations:
        raise _refusal(index, "annotations", "Annotations are not supported.")
    if message.tool_call_id:
        raise _refusal(index, "tool_call_id", "Only a tool's message has a tool_call_id.")
    if message.tool_calls and message.function_call:
        raise _refusal(index, "function_call", "function_call and tool_calls exclude each other.")
    calls: list[EngineToolCall] | None = None
    if message.function_call is not None:
        calls = [EngineToolCall(f"call_{function_calls}", message.function_call)]
    elif message.tool_calls:
        calls = [
            EngineToolCall(_id(index, call), CalledFunction(call.function.name, call.function.arguments))
            for call in message.tool_calls
        ]
    content = message.content if bytes(message.content) not in _ABSENT else _NULL
    return EngineMessage("assistant", content, message.name, message.reasoning_content, calls)


def _id(index: int, call: ToolCall) -> str:
    if not call.id:
        raise _refusal(index, "tool_calls", "A tool call needs an id.")
    return call.id
