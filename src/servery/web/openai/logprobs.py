"""Log probabilities, from whichever form an engine uses into the one that the client asked for.

*Content*: ``{"content": [{token, logprob, bytes, top_logprobs, token_id, text_offset}]}``; *legacy*: parallel lists
``tokens``, ``token_logprobs``, ``top_logprobs``, ``text_offset``, ``token_ids``. Offsets count characters from the
start of a choice's text. They come from the tokens' bytes, because a token may hold a part of a character.
"""

from collections.abc import Iterable

import msgspec

from servery.engines.engine_answer import EngineLogprob, EngineLogprobs, EngineTopLogprob
from servery.web.openai.presentation import LogprobForm, LogprobsAsked

IMPOSSIBLE_LOGPROB = -9999.0
"""What OpenAI writes for a token of probability zero, whose logarithm JSON cannot hold."""


class TopLogprob(msgspec.Struct, omit_defaults=True):
    token: str
    logprob: float
    bytes: list[int]
    token_id: int | None = None


class TokenLogprob(msgspec.Struct, omit_defaults=True):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]
    text_offset: int
    token_id: int | None = None


class ContentLogprobs(msgspec.Struct):
    content: list[TokenLogprob]
    refusal: None = None


class LegacyLogprobs(msgspec.Struct, omit_defaults=True):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]
    token_ids: list[int] | None = None


class LogprobView:
    """Shows one choice's log probabilities, piece by piece; remembers how far its text has come."""

    def __init__(self, asked: LogprobsAsked) -> None:
        self._asked = asked
        self._offset_chars = 0

    def shown(self, told: EngineLogprobs | None) -> ContentLogprobs | LegacyLogprobs | None:
        """None where nothing was asked for, or nothing told."""
        if told is None or not self._asked:
            return None
        tokens = told.content if told.content is not None else list(_from_legacy(told))
        if self._asked.form is LogprobForm.LEGACY:
            return self._legacy(tokens)
        return ContentLogprobs([self._content(token) for token in tokens])

    def _advance(self, token: EngineTopLogprob) -> int:
        """The token's offset."""
        offset = self._offset_chars
        self._offset_chars += sum(1 for byte in _bytes(token) if byte & 0xC0 != 0x80)  # a character's first byte
        return offset

    def _content(self, token: EngineLogprob) -> TokenLogprob:
        return TokenLogprob(
            token.token,
            _number(token.logprob),
            _bytes(token),
            [TopLogprob(top.token, _number(top.logprob), _bytes(top), _id(top)) for top in self._top(token)],
            self._advance(token),
            _id(token),
        )

    def _legacy(self, tokens: list[EngineLogprob]) -> LegacyLogprobs:
        ids = [_id(token) for token in tokens]
        return LegacyLogprobs(
            [token.token for token in tokens],
            [token.logprob for token in tokens],
            [self._alternatives(token) for token in tokens],
            [self._advance(token) for token in tokens],
            [known for known in ids if known is not None] if ids and None not in ids else None,
        )

    def _top(self, token: EngineLogprob) -> list[EngineTopLogprob]:
        """An engine may give more than was asked for, where it cannot give less."""
        return (token.top_logprobs or [])[: self._asked.alternatives]

    def _alternatives(self, token: EngineLogprob) -> dict[str, float] | None:
        """The likeliest tokens, and the drawn one too where it is not among them. None for a token that nothing came
        before, the first of an echoed prompt."""
        if token.logprob is None and not token.top_logprobs:
            return None
        likeliest = {top.token: _number(top.logprob) for top in self._top(token)}
        return likeliest if token.token in likeliest else {**likeliest, token.token: _number(token.logprob)}


def _from_legacy(told: EngineLogprobs) -> Iterable[EngineLogprob]:
    tokens, logprobs, tops = told.tokens or [], told.token_logprobs or [], told.top_logprobs or []
    for index, token in enumerate(tokens):
        top = (tops[index] if index < len(tops) else None) or {}
        yield EngineLogprob(
            token,
            logprobs[index] if index < len(logprobs) else None,
            top_logprobs=[EngineTopLogprob(other, logprob) for other, logprob in top.items()],
        )


def _bytes(token: EngineTopLogprob) -> list[int]:
    return token.bytes if token.bytes is not None else list(token.token.encode())


def _id(token: EngineTopLogprob) -> int | None:
    return token.token_id if token.token_id is not None else token.id


def _number(logprob: float | None) -> float:
    return IMPOSSIBLE_LOGPROB if logprob is None else logprob
