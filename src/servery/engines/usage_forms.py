"""The usage objects of one engine's whole answers: all alike but for their numbers.

    {"prompt_tokens":12,"total_tokens":46,"completion_tokens":34,"prompt_tokens_details":{"cached_tokens":8}}
    |----------------|  |--------------|  |------------------|  |------------------------------------|  |--|

One is decoded, and the bytes around its numbers are learned. Another that has the same bytes there, and between them
whole numbers as JSON writes them, says the same but for these. Which number is which is found out by putting others in
their places.
"""

import re
from typing import Final

import msgspec

from servery.core.acyclic import acyclic
from servery.engines.reported_usage import ReportedUsage
from servery.engines.told_usage import ToldUsage, told_by
from servery.engines.unreadable import UNREADABLE

_MOST_FORMS: Final = 4
"""There are as many as an engine has details that it tells or leaves out."""
_MOST_FORM_BYTES: Final = 1_024
_MOST_NUMBERS: Final = 16
_MOST_DIGITS: Final = 9
_MOST_LEFT_OUT: Final = 1_023
_NUMBER: Final = re.compile(rb"(?<=[:\s])[0-9]+(?=[\s,}])")
"""A number, or a part of a text that has some digits at its place whatever they are: before an escape there is none of
these."""
_PROBES: Final = (1_000_001, 2_000_101)

_ZERO: Final = ord("0")
_PROMPT: Final = 0
_CACHED: Final = 1
_GENERATED: Final = 2
_REASONING: Final = 3
_OWN_REASONING: Final = 4
_NO_COUNT: Final = 5
_MEANINGS: Final = 6

_usages: Final = msgspec.json.Decoder(ReportedUsage)


class UsageForms:
    """Those of one engine. Where what is learned is of no use, less and less is learned."""

    __slots__ = ("_forms", "_left_out", "_pause")

    def __init__(self) -> None:
        self._forms: list[_UsageForm] = []
        self._pause = 0
        self._left_out = 0

    def read(self, text: bytes) -> ToldUsage | None:
        """What a usage object tells; None where it leaves out the prompt. Raises what is ``UNREADABLE``."""
        for form in self._forms:
            told = form.read(text)
            if told is not None:
                return told
        told = told_by(_usages.decode(text))
        if told is not None:
            self._learn(text)
        return told

    def _learn(self, text: bytes) -> None:
        if self._left_out < self._pause:
            self._left_out += 1
            return
        form = _form_of(text)
        if form is not None:
            self._forms.insert(0, form)
            if len(self._forms) > _MOST_FORMS:
                self._forms.pop()
                self._left_out = 0
                self._pause = min(2 * self._pause + 1, _MOST_LEFT_OUT)


@acyclic
class _UsageForm:
    """A number follows each of ``pieces``; ``meanings`` tells what each is of. ``usual`` is what no number tells."""

    __slots__ = ("_meanings", "_pieces", "_tail", "_usual")

    def __init__(self, pieces: list[bytes], tail: bytes, meanings: list[int], usual: list[int]) -> None:
        self._pieces = pieces
        self._tail = tail
        self._meanings = meanings
        self._usual = usual

    def read(self, text: bytes) -> ToldUsage | None:
        at, told = 0, self._usual.copy()
        for place, piece in enumerate(self._pieces):
            begin = at + len(piece)
            if text[at:begin] != piece:
                return None
            number, at = _number_at(text, begin)
            if at == begin:
                return None
            told[self._meanings[place]] = number
        if text[at:] != self._tail:
            return None
        reasoning = told[_REASONING] or told[_OWN_REASONING]
        return ToldUsage(told[_PROMPT], told[_CACHED], told[_GENERATED], reasoning)


def _number_at(text: bytes, begin: int) -> tuple[int, int]:
    """The number that begins there as JSON writes it, and its end, which is ``begin`` where there is none, or one that
    is very long."""
    at, size, number = begin, len(text), 0
    while at < size:
        digit = text[at] - _ZERO
        if digit < 0 or digit > 9:
            break
        number = 10 * number + digit
        at += 1
    digits = at - begin
    if digits > _MOST_DIGITS or (digits > 1 and text[begin] == _ZERO):
        return 0, begin
    return number, at


def _form_of(text: bytes) -> _UsageForm | None:
    """Of usage that was decoded; None where its form cannot be told."""
    found = list(_NUMBER.finditer(text))
    if len(text) > _MOST_FORM_BYTES or not 0 < len(found) <= _MOST_NUMBERS:
        return None
    pieces, at = [], 0
    for number in found:
        pieces.append(text[at : number.start()])
        at = number.end()
    tail = text[at:]
    try:
        one, other = [_numbers(_usages.decode(_with_numbers(pieces, tail, first=first))) for first in _PROBES]
    except UNREADABLE:
        return None
    meanings, usual = [_NO_COUNT] * len(pieces), [0] * _MEANINGS
    for meaning, value in enumerate(one):
        place = -1 if value is None else value - _PROBES[0]
        if 0 <= place < len(pieces) and other[meaning] == _PROBES[1] + place:
            meanings[place] = meaning
        elif other[meaning] == value:
            usual[meaning] = value or 0
        else:
            return None
    return _UsageForm(pieces, tail, meanings, usual)


def _with_numbers(pieces: list[bytes], tail: bytes, *, first: int) -> bytes:
    return b"".join([b"%b%d" % (piece, first + place) for place, piece in enumerate(pieces)]) + tail


def _numbers(reported: ReportedUsage) -> list[int | None]:
    """By meaning."""
    prompt_details, generated_details = reported.prompt_tokens_details, reported.completion_tokens_details
    return [
        reported.prompt_tokens,
        None if prompt_details is None else prompt_details.cached_tokens,
        reported.completion_tokens,
        None if generated_details is None else generated_details.reasoning_tokens,
        reported.reasoning_tokens,
    ]
