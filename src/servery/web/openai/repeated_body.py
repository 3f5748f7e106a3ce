"""What a client asks beside its messages, or beside the text of the last one. From one request to the next that hardly
changes, so what was understood once, byte for byte, is not read again; what is between is.

    {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": […], "temperature": 0.2}
    |------ before -----------|------------ messages -------------|------------- after -------------|
    |------ before -------------------------------------|-text|---------------- after --------------|

No text can be taken for syntax: nothing is searched for, and what is between has to be an array of messages, or a
string, by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.engines.unreadable import UNREADABLE
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.message_shapes import Message, OnlyMessages, TextMessage
from servery.web.openai.messages import texts
from servery.web.presenter import ParsedCall

Read = Callable[[bytes], ChatBody]
"""Reads any body. Raises InvalidRequest."""

KEPT_BYTES_MAX: Final = 16_384
"""Of what is longer than this in all, nothing is kept."""

_PROBE_TEXT: Final = b'"probe\\u0001"'
_PROBE: Final = b'[{"role":"user","content":%b}]' % _PROBE_TEXT
_TEXT_END: Final = b"}]"
_Shape = TypeVar("_Shape")

_MESSAGES: Final = msgspec.json.Decoder(list[Message])
_TEXTS: Final = msgspec.json.Decoder(list[TextMessage])
_ONLY_MESSAGES: Final = msgspec.json.Decoder(OnlyMessages)
_STRING: Final = msgspec.json.Decoder(str)


class RepeatedBody(ABC):
    """``terms`` are what ``before`` and ``after`` say."""

    __slots__ = ("_least_bytes", "after", "before", "terms")

    def __init__(self, before: bytes, after: bytes, terms: ChatTerms) -> None:
        self.before = before
        self.after = after
        self.terms = terms
        self._least_bytes = len(before) + len(after)

    @property
    def kept_bytes(self) -> int:
        return self._least_bytes

    def surrounds(self, body: bytes) -> bool:
        """Whether ``body`` begins and ends like this."""
        return len(body) > self._least_bytes and body.startswith(self.before) and body.endswith(self.after)

    def between(self, body: bytes) -> bytes:
        return body[len(self.before) : len(body) - len(self.after)]

    def call(self, body: bytes, headers: dict[str, str], request_id: str) -> ParsedCall | None:
        """What a body that this surrounds asks for; None where what is between is not what it must be. Raises
        InvalidRequest."""
        generation = self.generation(body)
        return None if generation is None else self.terms.call(generation, headers, request_id=request_id)

    @abstractmethod
    def generation(self, body: bytes) -> Generation | None:
        """The same without what headers say."""


class OtherMessages(RepeatedBody):
    """Bodies that differ in their messages."""

    __slots__ = ("_found", "_says_more", "_start_hash")

    def __init__(self, before: bytes, after: bytes, terms: ChatTerms) -> None:
        super().__init__(before, after, terms)
        self._found = 0
        self._says_more = False  # than a text each: if so once, the next messages may do so too
        self._start_hash = 0  # of the conversation that was looked at last, up to the text of its last message
        terms.forget_messages()

    def generation(self, body: bytes) -> Generation | None:
        between = self.between(body)
        if not self._says_more:
            said = _decoded(between, _TEXTS)
            talk = None if said is None else texts(said)
            if talk is not None:
                return self.terms.generation.told(talk.messages, last_message=talk.last_message, has_images=False)
            self._says_more = True
        messages = _decoded(between, _MESSAGES)
        return None if messages is None else self.terms.generation_of(messages)

    def closer(self, body: bytes, read: Read) -> "OtherText | None":
        """What surrounds less of ``body``, which this surrounds, where that has come before. It is looked for at first
        often, then ever more seldom: most conversations go on."""
        self._found += 1
        if self._found & (self._found - 1):
            return None
        messages, generation = _decoded(self.between(body), _MESSAGES), self.generation(body)
        if not messages or generation is None or generation.messages is None:
            return None
        text, told = bytes(messages[-1].content), generation.messages
        ending = text + _TEXT_END
        start = told[: len(told) - len(ending)]
        if not text.startswith(b'"') or not told.endswith(ending) or not self.between(body).endswith(ending):
            return None
        if hash(start) != self._start_hash:
            self._start_hash = hash(start)
            return None
        return self._around_text(body, text, read, start=start, alike=generation)

    def _around_text(
        self, body: bytes, text: bytes, read: Read, *, start: bytes, alike: Generation
    ) -> "OtherText | None":
        """The text at the end of the messages is its last message's, if a probe in its place is."""
        after = _TEXT_END + self.after
        before = body[: len(body) - len(after) - len(text)]
        if len(before) + len(after) + len(start) > KEPT_BYTES_MAX or _PROBE_TEXT in body:
            return None
        try:
            probed = self.terms.generation_of(read(before + _PROBE_TEXT + after).messages)
        except InvalidRequest:
            return None
        if probed.messages != _said(start, _PROBE_TEXT):
            return None
        return OtherText(before, after, self.terms, start=start, alike=alike)


class OtherText(RepeatedBody):
    """Bodies that differ in the text of their last message: ``start`` is the conversation up to there. ``alike`` is
    what one of them asks for."""

    __slots__ = ("_has_images", "_last_message", "_start")

    def __init__(self, before: bytes, after: bytes, terms: ChatTerms, *, start: bytes, alike: Generation) -> None:
        super().__init__(before, after, terms)
        self._has_images = alike.has_images
        self._last_message = alike.last_message
        self._start = start

    @property
    def kept_bytes(self) -> int:
        return self._least_bytes + len(self._start)

    def generation(self, body: bytes) -> Generation | None:
        text = self.between(body)
        try:
            _STRING.decode(text)
        except UNREADABLE:
            return None
        told = _said(self._start, text)
        return self.terms.generation.told(told, last_message=self._last_message, has_images=self._has_images)


def around_messages(body: bytes, terms: ChatTerms, read: Read) -> OtherMessages | None:
    """None where what is before and after the messages is too long, or cannot be told.

    Where they stand is a guess until a probe in their place is read back as the messages.
    """
    only = _decoded(body, _ONLY_MESSAGES)
    messages = b"" if only is None else bytes(only.messages)
    if not messages or len(body) - len(messages) > KEPT_BYTES_MAX or _PROBE_TEXT in body:
        return None
    begin = body.find(messages)
    before, after = body[:begin], body[begin + len(messages) :]
    try:
        probed = read(before + _PROBE + after).messages
    except InvalidRequest:
        return None
    is_told = len(probed) == 1 and bytes(probed[0].content) == _PROBE_TEXT
    return OtherMessages(before, after, terms) if is_told else None


def _decoded(between: bytes, decoder: msgspec.json.Decoder[_Shape]) -> _Shape | None:
    try:
        if not between.isascii():
            between.decode()  # values that stay raw JSON are not checked for UTF-8 by the decoder
        return decoder.decode(between)
    except UNREADABLE:
        return None


def _said(start: bytes, text: bytes) -> bytes:
    return b"%b%b%b" % (start, text, _TEXT_END)
