"""What each API key asks again and again."""

from typing import Final

from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.repeated_body import OtherMessages, OtherText, Read, around_messages
from servery.web.presenter import ParsedCall

_WAYS_OF_A_KEY: Final = 4
_HITS_THAT_SETTLE: Final = 16
_MISSES_THAT_UNSETTLE: Final = 16
"""A key that mostly asks otherwise is known by one way alone: each that is looked at costs something."""
_KEY_BYTES: Final = 1_024
"""As much is counted for a key beside what is kept for it."""


class RepeatedBodies:
    """By API key the last few that it came with. Of ``kept_bytes_most`` bytes in all; beyond that the key that is known
    for longest is forgotten. ``read`` reads any body."""

    __slots__ = ("_kept_bytes", "_kept_bytes_most", "_of_keys", "_read")

    def __init__(self, read: Read, *, kept_bytes_most: int = 1 << 25) -> None:
        self._of_keys: dict[str, _OfKey] = {}
        self._kept_bytes = 0
        self._kept_bytes_most = kept_bytes_most
        self._read = read

    def call(self, key_id: str, body: bytes, headers: dict[str, str], request_id: str) -> ParsedCall | None:
        """What ``body`` asks for, if it begins and ends like one that came before. Raises InvalidRequest."""
        of_key = self._of_keys.get(key_id)
        if of_key is None:
            return None
        kept_bytes = of_key.kept_bytes
        call = of_key.call(body, headers, request_id)
        if of_key.kept_bytes != kept_bytes:
            self._keep(of_key.kept_bytes - kept_bytes)
        return call

    def missed(self, key_id: str, body: bytes, terms: ChatTerms) -> None:
        """``body``, which was none of those, was understood: it asks on these ``terms``."""
        of_key = self._of_keys.get(key_id)
        if of_key is None:
            self._of_keys[key_id] = _OfKey(self._read)
            self._keep(_KEY_BYTES)
        else:
            kept_bytes = of_key.kept_bytes
            of_key.missed(body, terms)
            self._keep(of_key.kept_bytes - kept_bytes)

    def _keep(self, more_bytes: int) -> None:
        self._kept_bytes += more_bytes
        while self._kept_bytes > self._kept_bytes_most:
            forgotten = self._of_keys.pop(next(iter(self._of_keys)))
            self._kept_bytes -= _KEY_BYTES + forgotten.kept_bytes


class _OfKey:
    """``misses`` are counted until enough bodies in a row were found. Who asks otherwise each time has little looked
    at."""

    __slots__ = ("_bodies", "_hits", "_misses", "_read", "_texts", "kept_bytes")

    def __init__(self, read: Read) -> None:
        self._texts: list[OtherText] = []  # those that came last first, as below
        self._bodies: list[OtherMessages] = []
        self._hits = 0
        self._misses = 1
        self._read = read
        self.kept_bytes = 0

    def call(self, body: bytes, headers: dict[str, str], request_id: str) -> ParsedCall | None:
        for place, text in enumerate(self._texts):
            if text.surrounds(body):
                call = text.call(body, headers, request_id)
                if call is not None:
                    self._hit()
                    return call
                del self._texts[place]  # the conversation has gone on, and may do so each time
                self._count()
                break
        for known in self._bodies:
            if known.surrounds(body):
                call = known.call(body, headers, request_id)
                if call is not None:
                    self._hit()
                    self._look_closer(known, body)
                    return call
        self._hits = 0
        self._misses += 1
        return None

    def missed(self, body: bytes, terms: ChatTerms) -> None:
        """It is looked at if there have not been many: of their numbers at powers of two."""
        if not self._misses & (self._misses - 1):
            around = around_messages(body, terms, self._read)
            if around is not None:
                self._bodies.insert(0, around)
                del self._bodies[_WAYS_OF_A_KEY if self._misses <= _MISSES_THAT_UNSETTLE else 1 :]
                self._count()

    def _hit(self) -> None:
        self._hits += 1
        if self._hits >= _HITS_THAT_SETTLE:
            self._misses = 0

    def _look_closer(self, known: OtherMessages, body: bytes) -> None:
        closer = known.closer(body, self._read)
        if closer is not None:
            self._texts.insert(0, closer)
            del self._texts[_WAYS_OF_A_KEY:]
            self._count()

    def _count(self) -> None:
        self.kept_bytes = sum([one.kept_bytes for one in self._texts]) + sum([one.kept_bytes for one in self._bodies])
