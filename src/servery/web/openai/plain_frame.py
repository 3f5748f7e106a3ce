"""Learns how the frames of a stream look, from one that was decoded (see ``servery.engines.plain_frames``)."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from servery.engines.engine_answer import EngineAnswer
from servery.engines.plain_frames import NEVER, PlainFrame

_LEARNED_FROM_BYTES_MAX: Final = 4_096
PROBE: Final = "probe\u0001"
"""A text that no engine sends."""


class TextKind(StrEnum):
    """The key at which a frame's only text stands."""

    CONTENT = "content"
    REASONING_CONTENT = "reasoning_content"
    REASONING = "reasoning"
    TEXT = "text"


_TEXT: Final = TextKind.TEXT
_CONTENT: Final = TextKind.CONTENT
_REASONING_CONTENT: Final = TextKind.REASONING_CONTENT
_REASONING: Final = TextKind.REASONING

_EVENT: Final = msgspec.json.Decoder(EngineAnswer | None)


def plain_text(answer: EngineAnswer) -> tuple[TextKind, str] | None:
    """The only thing that a frame says, if that is a piece of text."""
    choices = answer.choices
    if choices is None or len(choices) != 1:
        return None
    choice = choices[0]
    if choice.finish_reason is not None or choice.logprobs is not None or choice.message is not None:
        return None
    text = choice.text
    said = [] if text is None else [(_TEXT, text)]
    delta = choice.delta
    if delta is not None:
        if delta.role is not None or delta.tool_calls:
            return None
        content, reasoning_content, reasoning = delta.content, delta.reasoning_content, delta.reasoning
        if content is not None:
            said.append((_CONTENT, content))
        if reasoning_content is not None:
            said.append((_REASONING_CONTENT, reasoning_content))
        if reasoning is not None:
            said.append((_REASONING, reasoning))
    return said[0] if len(said) == 1 else None


def learned(event: bytes, kind: TextKind, *, client_head: bytes, client_tail: bytes) -> PlainFrame:
    """The frame of which ``event``, whose ``plain_text`` is of ``kind``, is an instance; NEVER if it cannot be told.

    Where nothing is escaped, quotes are the ends of strings. So where the kind's name is found once, in quotes and
    before a colon, it is the key that was read: no other can be spelt like this. In other events a probe tells.
    """
    name = _NAME[kind]
    around = event.split(name) if len(event) <= _LEARNED_FROM_BYTES_MAX else []
    if len(around) == 2 and around[1].startswith(b':"') and not event.partition(b"\\")[1]:
        head, tail = around[0] + name + b':"', b'"' + around[1][2:].partition(b'"')[2]
        return PlainFrame(head, tail, client_head, client_tail)

    def says_probe(event: bytes) -> bool:
        probe = _EVENT.decode(event)
        return probe is not None and plain_text(probe) == (kind, PROBE)

    return frame_around(event, _VALUE[kind], says_probe, client_head=client_head, client_tail=client_tail)


def value_pattern(key: str) -> re.Pattern[bytes]:
    """Finds a JSON string, its first group, behind ``key``."""
    return re.compile(rb'"%s"\s*:\s*("(?:[^"\\]|\\.)*")' % key.encode(), re.DOTALL)


_NAME: Final = {kind: b'"%b"' % kind.value.encode() for kind in TextKind}
_VALUE: Final = {kind: value_pattern(kind.value) for kind in TextKind}


def frame_around(
    event: bytes,
    pattern: re.Pattern[bytes],
    says_probe: Callable[[bytes], bool],
    *,
    client_head: bytes,
    client_tail: bytes,
) -> PlainFrame:
    """The frame of which ``event`` is an instance, with its text where ``pattern`` finds it; NEVER if it is not there.

    Where the text stands is a guess until a probe in its place is read back as the text, and as nothing else:
    ``says_probe`` tells that of an event.
    """
    found = pattern.search(event) if len(event) <= _LEARNED_FROM_BYTES_MAX else None
    if found is None:
        return NEVER
    head, tail = event[: found.start(1) + 1], event[found.end(1) - 1 :]
    if not says_probe(head[:-1] + msgspec.json.encode(PROBE) + tail[1:]):
        return NEVER
    return PlainFrame(head, tail, client_head, client_tail)
