"""What a client asks beside its messages. From one request to the next that hardly changes, so what was understood
once, byte for byte, is not read again; the messages are.

    {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": […], "temperature": 0.2}
    |------ before -----------|------------ messages -------------|------------- after -------------|

No text can be taken for syntax: nothing is searched for, and what is between has to be an array of messages by itself.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.message_shapes import Message, OnlyMessages

KEPT_BYTES_MAX: Final = 16_384
"""Of what is longer than this in all, nothing is kept."""
_WAYS_OF_A_KEY: Final = 4
_HITS_THAT_SETTLE: Final = 16
_MISSES_THAT_UNSETTLE: Final = 16
"""A key that mostly asks otherwise is known by one way alone: each that is looked at costs something."""
_KEY_BYTES: Final = 1_024
"""As much is counted for a key beside what is kept for it."""

_PROBE: Final = b'[{"role":"user","content":"probe\\u0001"}]'
_PROBE_TEXT: Final = b'"probe\\u0001"'
_MESSAGES: Final = msgspec.json.Decoder(list[Message])
_ONLY_MESSAGES: Final = msgspec.json.Decoder(OnlyMessages)


class RepeatedBody:
    """``terms`` are what ``before`` and ``after`` say."""

    __slots__ = ("_after", "_before", "_least_bytes", "terms")

    def __init__(self, before: bytes, after: bytes, terms: ChatTerms) -> None:
        self._before = before
        self._after = after
        self._least_bytes = len(before) + len(after)
        self.terms = terms
        terms.forget_messages()

    @property
    def kept_bytes(self) -> int:
        return self._least_bytes

    def surrounds(self, body: bytes) -> bool:
        """Whether ``body`` begins and ends like this."""
        return len(body) > self._least_bytes and body.startswith(self._before) and body.endswith(self._after)

    def messages(self, body: bytes) -> list[Message] | None:
        """Those of a body that this surrounds; None where what is between is no array of messages."""
        between = body[len(self._before) : len(body) - len(self._after)]
        try:
            if not between.isascii():
                between.decode()  # values that stay raw JSON are not checked for UTF-8 by the decoder
            return _MESSAGES.decode(between)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class RepeatedBodies:
    """By API key the last few that it came with. Of ``kept_bytes_most`` bytes in all; beyond that the key that is known
    for longest is forgotten."""

    __slots__ = ("_kept_bytes", "_kept_bytes_most", "_of_keys")

    def __init__(self, *, kept_bytes_most: int = 1 << 25) -> None:
        self._of_keys: dict[str, _OfKey] = {}
        self._kept_bytes = 0
        self._kept_bytes_most = kept_bytes_most

    def find(self, key_id: str, body: bytes) -> RepeatedBody | None:
        """What ``body`` begins and ends like."""
        of_key = self._of_keys.get(key_id)
        return None if of_key is None else of_key.find(body)

    def learn(self, key_id: str, body: bytes, terms: ChatTerms, read: Callable[[bytes], ChatBody]) -> None:
        """``body``, which was not found, asks for ``terms``, as ``read`` has told. Who asks otherwise each time has
        little looked at."""
        of_key = self._of_keys.get(key_id)
        if of_key is None:
            self._of_keys[key_id] = _OfKey()
            self._keep(_KEY_BYTES)
        elif of_key.is_worth_a_look:
            found = _around_messages(body, read)
            if found is not None:
                self._keep(of_key.add(RepeatedBody(found[0], found[1], terms)))

    def _keep(self, more_bytes: int) -> None:
        self._kept_bytes += more_bytes
        while self._kept_bytes > self._kept_bytes_most:
            forgotten = self._of_keys.pop(next(iter(self._of_keys)))
            self._kept_bytes -= _KEY_BYTES + forgotten.kept_bytes


class _OfKey:
    """``misses`` are counted until enough bodies in a row were found."""

    __slots__ = ("_bodies", "_hits", "_misses")

    def __init__(self) -> None:
        self._bodies: list[RepeatedBody] = []  # the last used first
        self._hits = 0
        self._misses = 1

    def find(self, body: bytes) -> RepeatedBody | None:
        for place, known in enumerate(self._bodies):
            if known.surrounds(body):
                if place:
                    self._bodies.insert(0, self._bodies.pop(place))
                self._hits += 1
                if self._hits >= _HITS_THAT_SETTLE:
                    self._misses = 0
                return known
        self._hits = 0
        self._misses += 1
        return None

    @property
    def is_worth_a_look(self) -> bool:
        """At first often, then ever more seldom: at powers of two."""
        return not self._misses & (self._misses - 1)

    @property
    def kept_bytes(self) -> int:
        return sum([known.kept_bytes for known in self._bodies])

    def add(self, body: RepeatedBody) -> int:
        """How many bytes more are kept now."""
        before = self.kept_bytes
        self._bodies.insert(0, body)
        del self._bodies[_WAYS_OF_A_KEY if self._misses <= _MISSES_THAT_UNSETTLE else 1 :]
        return self.kept_bytes - before


def _around_messages(body: bytes, read: Callable[[bytes], ChatBody]) -> list[bytes] | None:
    """What stands before and after the messages of ``body``; None where that is too long, or cannot be told.

    Where they stand is a guess until a probe in their place is read back as the messages.
    """
    messages = bytes(_ONLY_MESSAGES.decode(body).messages)
    if len(body) - len(messages) > KEPT_BYTES_MAX or _PROBE_TEXT in body:
        return None
    begin = body.find(messages)
    before, after = body[:begin], body[begin + len(messages) :]
    probed = read(before + _PROBE + after).messages
    return [before, after] if len(probed) == 1 and bytes(probed[0].content) == _PROBE_TEXT else None
