"""What a session's home is worth: whether other gateways send there too.

Where one gateway alone sends, its own beliefs hold all that there is, and home is worth hardly anything. Where others
send too, sessions meet at home without talking, and engines report far more cached tokens there than were predicted.
"""

from typing import Final

_MOST_TOKENS: Final = 1_024.0
_LEAST_TOKENS: Final = 128.0
"""Never nothing, so that gateways which start later find each other's sessions."""
_OFTEN: Final = 0.125
"""One find in so many is as good as one each time: a session's other turns are predicted."""
_SELDOM: Final = 0.03
"""Fewer finds may be anything: nobody else sends."""
_SMOOTHING: Final = 0.03
_COARSE: Final = 1.5
_SLACK_TOKENS: Final = 64.0
"""Predictions may be short by as much without anybody else: blocks of text grow by halves, and units differ."""


class HomeWorth:
    """``tokens`` of a prompt, by how often more was found at homes of late than this gateway sent: at first, and at
    most, 1,024."""

    __slots__ = ("_finds", "tokens")

    def __init__(self) -> None:
        self.tokens = _MOST_TOKENS
        self._finds = _OFTEN

    @property
    def is_alone(self) -> bool:
        """Whether no other gateway seems to send there."""
        return self._finds < _SELDOM

    def learn(self, *, predicted_tokens: float, reported_tokens: float, is_told: bool) -> None:
        """Of a prompt that was sent home so much was believed and found to be cached. Where the engine never told of
        cached tokens (``is_told``) though some were predicted, it does not tell, and nothing is known of others."""
        if predicted_tokens > _SLACK_TOKENS and not is_told:
            self._finds = _OFTEN
        else:
            is_find = reported_tokens > _COARSE * predicted_tokens + _SLACK_TOKENS
            self._finds += _SMOOTHING * (is_find - self._finds)
        self.tokens = max(_LEAST_TOKENS, min(_MOST_TOKENS, _MOST_TOKENS * self._finds / _OFTEN))
