"""The frames that make up a stream: all alike but for one piece of text.

    {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hel"}}],"created":1,"id":"e","model":"m"}
    |---------------------------- head ------------------------------|   |------------- tail --------------|
                                                                    "Hel"   goes to the client as it came

Decoding each costs several times what passing it on does. So one frame is decoded, the bytes around its text are
learned, and any frame that begins and ends with the same bytes, and has one JSON string between them, must decode to
the same but for that string: its text is put, still encoded, between the bytes that the client gets instead. A frame
that differs in anything else (another second in ``created``, a finish reason, log probabilities, timings) fails the
comparison, is decoded, and may teach anew. Nothing is searched for inside a text, so no text can be taken for syntax.
"""

import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from servery.web.openai.engine_answer import EngineAnswer

_LEARNED_FROM_BYTES_MAX = 4_096
PROBE = "probe\u0001"
"""A text that no engine sends."""
_decode_string = msgspec.json.Decoder(str).decode


class TextKind(StrEnum):
    """The key at which a frame's only text stands."""

    CONTENT = "content"
    REASONING_CONTENT = "reasoning_content"
    REASONING = "reasoning"
    TEXT = "text"


_EVENT = msgspec.json.Decoder(EngineAnswer | None)


class PlainFrame:
    """``head`` and ``tail`` are an engine's bytes, each with a quote of the text; ``client_head`` and ``client_tail``
    what a client gets around the text with both its quotes."""

    __slots__ = ("client_head", "client_tail", "head", "tail")

    def __init__(self, head: bytes, tail: bytes, client_head: bytes, client_tail: bytes) -> None:
        self.head = head
        self.tail = tail
        self.client_head = client_head
        self.client_tail = client_tail

    def translated(self, event: bytes) -> bytes | None:
        """The client's frame, or None when ``event`` is not of this kind."""
        if not (event.startswith(self.head) and event.endswith(self.tail)):
            return None
        text = event[len(self.head) - 1 : 1 - len(self.tail)]
        try:
            _decode_string(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return self.client_head + text + self.client_tail


NEVER = PlainFrame(b"never", b"never", b"", b"")
"""Translates nothing: no JSON begins like this."""


class PlainFrames:
    """The frames of one stream: what was learned last. ``framing`` is what stands before the JSON of each."""

    __slots__ = (
        "_client_head",
        "_client_tail",
        "_frame",
        "_framed_head",
        "_framed_tail",
        "_framing",
        "_text_begin",
        "_text_end",
    )

    def __init__(self, framing: bytes = b"data: ") -> None:
        self._framing = framing
        self.learn(NEVER)

    def learn(self, frame: PlainFrame) -> None:
        self._frame = frame
        self._framed_head = self._framing + frame.head
        self._framed_tail = frame.tail + b"\n\n"
        self._text_begin = len(self._framed_head) - 1
        self._text_end = 1 - len(self._framed_tail)
        self._client_head = frame.client_head
        self._client_tail = frame.client_tail

    def of_event(self, event: bytes) -> bytes | None:
        """The client's frame, or None when ``event`` is not of the kind that was learned."""
        return self._frame.translated(event)

    def of_framed(self, piece: bytes) -> bytes | None:
        """The same for an event that still has its framing as a server-sent event. Runs once per generated token."""
        if not (piece.startswith(self._framed_head) and piece.endswith(self._framed_tail)):
            return None
        text = piece[self._text_begin : self._text_end]
        try:
            _decode_string(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return b"%b%b%b" % (self._client_head, text, self._client_tail)


def plain_text(answer: EngineAnswer) -> tuple[TextKind, str] | None:
    """The only thing that a frame says, if that is a piece of text."""
    if answer.choices is None or len(answer.choices) != 1:
        return None
    choice = answer.choices[0]
    if choice.finish_reason is not None or choice.logprobs is not None or choice.message is not None:
        return None
    delta = choice.delta
    texts = [(TextKind.TEXT, choice.text)]
    if delta is not None:
        if delta.role is not None or delta.tool_calls:
            return None
        texts += [
            (TextKind.CONTENT, delta.content),
            (TextKind.REASONING_CONTENT, delta.reasoning_content),
            (TextKind.REASONING, delta.reasoning),
        ]
    said = [(kind, text) for kind, text in texts if text is not None]
    return said[0] if len(said) == 1 else None


def learned(event: bytes, kind: TextKind, *, client_head: bytes, client_tail: bytes) -> PlainFrame:
    """The frame of which ``event``, whose ``plain_text`` is of ``kind``, is an instance; NEVER if it cannot be told."""

    def says_probe(event: bytes) -> bool:
        probe = _EVENT.decode(event)
        return probe is not None and plain_text(probe) == (kind, PROBE)

    return frame_around(event, _VALUE[kind], says_probe, client_head=client_head, client_tail=client_tail)


def value_pattern(key: str) -> re.Pattern[bytes]:
    """Finds a JSON string, its first group, behind ``key``."""
    return re.compile(rb'"%s"\s*:\s*("(?:[^"\\]|\\.)*")' % key.encode(), re.DOTALL)


_VALUE = {kind: value_pattern(kind.value) for kind in TextKind}


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
