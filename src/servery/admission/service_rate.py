"""How fast a pool finishes requests, for an honest ``Retry-After``."""

import math

from servery.core.clock import Clock

_HALF_LIFE_S = 10.0
_SHORTEST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


class ServiceRate:
    """Requests per second, exponentially weighted with a half-life of ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._weight = 0.0
        self._seen_s = clock.monotonic_s()

    def count(self) -> None:
        """One request was served."""
        self._weight = self._decayed() + 1.0
        self._seen_s = self._clock.monotonic_s()

    @property
    def requests_per_s(self) -> float:
        # A steady rate r keeps the weight at r * half-life / ln 2.
        return self._decayed() * math.log(2) / _HALF_LIFE_S

    def wait_s(self, requests: int) -> float:
        """Until that many requests are served, between one second and a minute; a minute when none is served."""
        rate = self.requests_per_s
        predicted_s = requests / rate if rate > 0 else _LONGEST_WAIT_S
        return min(max(predicted_s, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)

    def _decayed(self) -> float:
        age_s = self._clock.monotonic_s() - self._seen_s
        return self._weight * math.exp2(-age_s / _HALF_LIFE_S)
