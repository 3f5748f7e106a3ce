"""What a kind of tool is: names, parameters, ways to need it, results, the answers they lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from training.skills import words

Values = dict[str, Any]
SYMBOLS = ("AAPL", "MSFT", "NVDA", "TSLA", "IBM", "SAP", "ORCL", "AMD")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a tool: the value it takes, its names, its JSON type."""

    field: str
    names: tuple[str, ...]
    kind: str = "string"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of tool. `asks` are templates over the values; `result` and `answer` follow the call."""

    names: tuple[str, ...]
    purpose: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    asks: tuple[str, ...]
    result: Callable[[Random, Values], Values]
    answer: str


def values(rng: Random) -> Values:
    """A value for each field that a tool may take."""
    a, b = rng.randrange(2, 400), rng.randrange(2, 90)
    sign, said = rng.choice((("+", "plus"), ("-", "minus"), ("*", "times"), ("/", "divided by")))
    return {
        "city": words.city(rng),
        "name": words.name(rng),
        "query": words.phrase(rng, 1, 3),
        "expr": f"{a} {sign} {b}",
        "said": f"{a} {said} {b}",
        "text": words.phrase(rng, 2, 4),
        "song": words.phrase(rng, 1, 2),
        "language": rng.choice(words.LANGUAGES),
        "minutes": rng.randrange(1, 60),
        "amount": rng.randrange(2, 900),
        "item": rng.choice(words.THINGS),
        "count": rng.randrange(2, 12),
        "code": words.code(rng),
        "unit": rng.choice(("celsius", "fahrenheit")),
        "day": rng.choice(("today", "tomorrow", "Monday", "Friday", "Sunday")),
        "time": f"{rng.randrange(6, 23)}:{rng.choice(('00', '15', '30', '45'))}",
        "room": rng.choice(("kitchen", "bedroom", "garden", "office")),
        "a": a,
        "b": b,
        "symbol": rng.choice(SYMBOLS),
        "from": rng.choice(("USD", "EUR", "GBP")),
        "to": rng.choice(("JPY", "CHF", "SEK")),
    }
