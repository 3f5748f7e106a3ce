"""The ``filter`` of lists, a part of AIP-160: https://google.aip.dev/160

    filter      expression
    expression  sequence {AND sequence}
    sequence    term {OR term}                       OR binds closer than AND, as that text has it
    term        [NOT] ( "(" expression ")" | field comparator value )
    comparator  = != < <= > >=

Values are quoted, or a single word. What is absent equals nothing, and is neither smaller nor larger.
"""

import operator
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.control.list_fields import Kind, ListField, Shown, list_field, ordering

Test = Callable[[Shown], bool]

_MOST_CHARS: Final = 2_000
_MOST_COMPARISONS: Final = 16
_DEEPEST: Final = 8
_TOKEN = re.compile(r'\s*(?:(?P<sign>[()]|!=|<=|>=|=|<|>)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s()=!<>"]+))')
_COMPARATORS: Final = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT")


class _Token(msgspec.Struct, frozen=True):
    """``word`` False: a sign, or text in quotes, which is no keyword."""

    text: str
    sign: bool = False
    word: bool = False

    def is_keyword(self, keyword: str) -> bool:
        return self.word and self.text == keyword


def parse_filter(text: str, of: type[msgspec.Struct]) -> Test | None:
    """The test that ``text`` stands for; None where it is empty. Raises InvalidRequest for what is not understood."""
    if len(text) > _MOST_CHARS:
        raise _refusal(f"it is longer than {_MOST_CHARS} characters")
    tokens = _tokens(text)
    return _Parser(tokens, of).whole() if tokens else None


class _Parser:
    """Descends through the grammar; a limit on depth and number keeps it short."""

    def __init__(self, tokens: list[_Token], of: type[msgspec.Struct]) -> None:
        self._tokens = tokens
        self._of = of
        self._at = 0
        self._depth = 0
        self._comparisons = 0

    def whole(self) -> Test:
        test = self._expression()
        if self._at < len(self._tokens):
            raise _refusal(f"AND or OR is missing before {self._tokens[self._at].text!r}")
        return test

    def _expression(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _refusal(f"more than {_DEEPEST} parentheses are open")
        tests = [self._sequence()]
        while self._take("AND"):
            tests.append(self._sequence())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else lambda shown: all(test(shown) for test in tests)

    def _sequence(self) -> Test:
        tests = [self._term()]
        while self._take("OR"):
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda shown: any(test(shown) for test in tests)

    def _term(self) -> Test:
        if self._take("NOT"):
            negated = self._term_itself()
            return lambda shown: not negated(shown)
        return self._term_itself()

    def _term_itself(self) -> Test:
        token = self._next("a field")
        if token == _Token("(", sign=True):
            test = self._expression()
            if self._next(")") != _Token(")", sign=True):
                raise _refusal("a parenthesis is not closed")
            return test
        if not token.word:
            raise _refusal(f"a field is missing before {token.text!r}")
        comparator, value = self._next("a comparator"), self._next("a value")
        if not comparator.sign or comparator.text not in _COMPARATORS or value.sign:
            raise _refusal(f'after {token.text!r} comes =, !=, <, <=, > or >=, and then a word or "text"')
        self._comparisons += 1
        if self._comparisons > _MOST_COMPARISONS:
            raise _refusal(f"it has more than {_MOST_COMPARISONS} comparisons")
        return _comparison(list_field(self._of, token.text, param="filter"), comparator.text, value.text)

    def _take(self, keyword: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at].is_keyword(keyword)
        self._at += found
        return found

    def _next(self, wanted: str) -> _Token:
        if self._at == len(self._tokens):
            raise _refusal(f"it ends where {wanted} should come")
        self._at += 1
        return self._tokens[self._at - 1]


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _refusal(f"{text[at : at + 20]!r} cannot be read")
        at = found.end()
        if found["sign"]:
            tokens.append(_Token(found["sign"], sign=True))
        elif found["word"]:
            tokens.append(_Token(found["word"], word=True))
        else:
            tokens.append(_Token(re.sub(r"\\(.)", r"\1", found["quoted"])))
    return tokens


def _comparison(field: ListField, comparator: str, text: str) -> Test:
    match field.kind:
        case None:
            raise _refusal(f"{field.path!r} is no single value")
        case Kind.FLAG:
            if text not in {"true", "false"} or comparator not in {"=", "!="}:
                raise _refusal(f"{field.path!r} is = or != true or false")
            expected = text == "true"
            return lambda shown: (field.value(shown) is expected) == (comparator == "=")
        case Kind.NUMBER:
            number = (0, _decimal(field, text))
            return lambda shown: _holds(field.value(shown), comparator, number, ordering)
        case Kind.TEXT:
            moment = _moment(text)
            if moment is not None:
                return lambda shown: _holds(field.value(shown), comparator, moment, _moment_or_text)
            wanted = ordering(text)
            return lambda shown: _holds(field.value(shown), comparator, wanted, ordering)


def _holds(value: Any, comparator: str, wanted: Any, key: Callable[[Any], Any]) -> bool:
    if value is None:
        return comparator == "!="
    found = key(value)
    if comparator not in {"=", "!="} and type(found) is not type(wanted):
        return False
    return bool(_COMPARATORS[comparator](found, wanted))


def _decimal(field: ListField, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise _refusal(f"{field.path!r} is a number, and {text!r} is none")
    return number


def _moment(text: str) -> datetime | None:
    """A moment with its offset from UTC; None for any other text."""
    if not _MOMENT.match(text):
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return None if moment.tzinfo is None else moment


def _moment_or_text(value: str) -> datetime | str:
    return _moment(value) or value


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(f"filter is not understood: {reason}", param="filter")
