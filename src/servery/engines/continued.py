"""Answers that go on where the client's last message, which is an assistant's, breaks off."""

from typing import Final

import msgspec

from servery.engines.engine_answer import EngineChoice
from servery.engines.unreadable import UNREADABLE


class _Begun(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str


_BEGINS: Final = b'{"role":"'
"""How each message begins as it is sent to engines; inside a text the quotes are escaped."""
_begun: Final = msgspec.json.Decoder(_Begun)


def goes_on(messages: bytes) -> bool:
    """Whether the last of ``messages``, as engines get them, is an assistant's."""
    return messages.startswith(b'{"role":"assistant"', messages.rfind(_BEGINS))


def begun_by_client(messages: bytes) -> str:
    """What the answer goes on from; nothing where the last of ``messages``, as engines get them, is no assistant's, or
    more than text."""
    last = messages[messages.rfind(_BEGINS) : -1]
    if not last.startswith(b'{"role":"assistant"'):
        return ""
    try:
        return _begun.decode(last).content
    except UNREADABLE:
        return ""


def without_beginning(choice: EngineChoice, begun: str) -> None:
    """Take what the client has sent itself out of the answer that repeats it."""
    message = choice.message
    if message is not None and message.content is not None:
        message.content = message.content.removeprefix(begun)
