"""How fast replicas compute prompts, learned from what they did.

A rate is a ratio of sums: the uncached tokens of many prompts over the time that each had for itself. Where an engine
computes several prompts at once, one seems slow and the next fast, and the sums still agree. Old sums fade; one
observation counts as at most so many times slower or faster than expected, so that a cold start does not spoil it.

A replica is taken to be as fast as its pool until its own prompts say that it is not: small differences are noise, and
would send everything to whoever was lucky.
"""

from typing import Final

FIRST_TOKENS_PER_S: Final = 4_000.0
_FIRST_WEIGHT_TOKENS: Final = 1_000.0
_POOL_WEIGHT_TOKENS: Final = 8_192.0
_FADE: Final = 0.97
_LEAST_TOKENS: Final = 128
"""Of smaller prompts the time is mostly spent on other things."""
_FARTHEST: Final = 4.0
_ALIKE: Final = 0.1


class _Sums:
    __slots__ = ("rate", "seconds", "tokens")

    def __init__(self, *, tokens: float, rate: float) -> None:
        self.tokens = tokens
        self.seconds = tokens / rate
        self.rate = rate

    def add(self, tokens: float, seconds: float) -> None:
        self.tokens = self.tokens * _FADE + tokens
        self.seconds = self.seconds * _FADE + seconds
        self.rate = self.tokens / self.seconds


class PoolRate:
    """The rate of a pool's replicas, in uncached prompt tokens per second; a guess until ``is_learned``.
    ``fastest_own`` is that of the fastest of those that differ from it, 0 if none is known to."""

    __slots__ = ("_fastest", "_sums", "fastest_own", "is_learned", "tokens_per_s")

    def __init__(self) -> None:
        self.is_learned = False
        self._sums = _Sums(tokens=_FIRST_WEIGHT_TOKENS, rate=FIRST_TOKENS_PER_S)
        self._fastest: PrefillRate | None = None
        self.fastest_own = 0.0
        self.tokens_per_s = FIRST_TOKENS_PER_S

    def learn(self, tokens: float, seconds: float) -> None:
        self._sums.add(tokens, seconds)
        self.is_learned = True
        self.tokens_per_s = self._sums.rate

    def differs(self, replica: "PrefillRate", own: float) -> None:
        """``own`` is its rate, 0 when it does not differ any more. When the fastest slows down, others show at their
        next prompt whether they are faster."""
        if own > self.fastest_own or replica is self._fastest:
            self._fastest, self.fastest_own = replica, own


class PrefillRate:
    """The rate of one replica of ``pool``: its ``own``, None while it is the pool's."""

    __slots__ = ("_pool", "_sums", "own")

    def __init__(self, pool: PoolRate) -> None:
        self._pool = pool
        self.own: float | None = None
        self._sums = _Sums(tokens=0.0, rate=FIRST_TOKENS_PER_S)

    @property
    def tokens_per_s(self) -> float:
        return self.own or self._pool.tokens_per_s

    @property
    def is_learned(self) -> bool:
        """Whether any replica of the pool has told."""
        return self._pool.is_learned

    def learn(self, tokens: float, service_s: float) -> None:
        """A prompt of so many uncached tokens had the engine for so long."""
        if tokens < _LEAST_TOKENS:
            return
        expected_s = tokens / self.tokens_per_s
        least_s, most_s = expected_s / _FARTHEST, expected_s * _FARTHEST
        seconds = least_s if service_s < least_s else most_s if service_s > most_s else service_s
        self._pool.learn(tokens, seconds)
        sums, pool = self._sums, self._pool.tokens_per_s
        sums.add(tokens, seconds)
        own = (sums.tokens + _POOL_WEIGHT_TOKENS) / (sums.seconds + _POOL_WEIGHT_TOKENS / pool)
        if abs(own - pool) > _ALIKE * pool:
            self.own = own
            self._pool.differs(self, own)
        elif self.own is not None:
            self.own = None
            self._pool.differs(self, 0.0)
