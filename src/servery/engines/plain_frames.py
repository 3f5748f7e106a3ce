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

from typing import Final

import msgspec

from servery.core.acyclic import acyclic
from servery.core.http_chunk import size_line

_decode_string: Final = msgspec.json.Decoder(str).decode


@acyclic
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
        return self.client_head + text + self.client_tail if is_string(text) else None


NEVER: Final = PlainFrame(b"never", b"never", b"", b"")
"""Translates nothing: no JSON begins like this."""


@acyclic
class PlainFrames:
    """The frames of one stream: what was learned last. ``framing`` is what stands before the JSON of each."""

    __slots__ = (
        "_chunk_tail",
        "_client_bytes",
        "_client_head",
        "_frame",
        "_framed_head",
        "_framed_tail",
        "_framing",
        "_text_begin",
        "_text_end",
    )

    def __init__(self, framing: bytes = b"data: ") -> None:
        self._framing = framing
        self._frame = NEVER
        self._framed_head = self._framed_tail = NEVER.head
        self._text_begin = self._text_end = 0
        self._client_head = self._chunk_tail = b""
        self._client_bytes = 0

    def learn(self, frame: PlainFrame) -> None:
        self._frame = frame
        self._framed_head = self._framing + frame.head
        self._framed_tail = frame.tail + b"\n\n"
        self._text_begin = len(self._framed_head) - 1
        self._text_end = 1 - len(self._framed_tail)
        self._client_head = frame.client_head
        self._chunk_tail = frame.client_tail + b"\r\n"
        self._client_bytes = len(frame.client_head) + len(frame.client_tail)

    def of_event(self, event: bytes) -> bytes | None:
        """The client's frame, or None when ``event`` is not of the kind that was learned."""
        return self._frame.translated(event)

    def chunk_of(self, piece: bytes) -> bytes | None:
        """The same for an event that still has its framing as a server-sent event, and for the client as a chunk of
        HTTP. Runs once per generated token."""
        if not (piece.startswith(self._framed_head) and piece.endswith(self._framed_tail)):
            return None
        text = piece[self._text_begin : self._text_end]
        if not is_string(text):
            return None
        line = size_line(self._client_bytes + len(text))
        return b"%b%b%b%b" % (line, self._client_head, text, self._chunk_tail)


def is_string(text: bytes) -> bool:
    """Whether it is one string of JSON, and nothing else."""
    try:
        _decode_string(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
