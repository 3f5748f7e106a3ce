"""Money as integers with the unit in the name (money.md, rule 1).

Prices are pico-dollars per token, which is the same number as micro-dollars per million tokens. A charge is
computed exactly in pico-dollars and rounded once, half to even, to nano-dollars, when it is posted.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

PICODOLLARS_PER_NANODOLLAR: Final = 1_000
NANODOLLARS_PER_DOLLAR: Final = 1_000_000_000
MICRODOLLARS_PER_DOLLAR: Final = 1_000_000

_MAX_DOLLARS_PER_MILLION_TOKENS: Final = Decimal(1_000_000)


def nanodollars_from_picodollars(picodollars: int) -> int:
    """Round half to even. Exact for negative amounts too (reversals)."""
    return divided_half_even(picodollars, PICODOLLARS_PER_NANODOLLAR)


def divided_half_even(dividend: int, divisor: int) -> int:
    """The whole number nearest to ``dividend / divisor`` (> 0); of two that are as near, the even one."""
    assert divisor > 0, "an amount is divided by how many parts it has"
    quotient = dividend // divisor
    remainder = dividend - quotient * divisor  # divmod would make a tuple of two objects
    if 2 * remainder > divisor or (2 * remainder == divisor and quotient % 2 == 1):
        quotient += 1
    return quotient


def picodollars_per_token(dollars_per_million_tokens: str) -> int:
    """Parse a price as people write it, such as ``"0.95"`` dollars per million tokens.

    Raises ValueError when it is not a number, negative, above a million dollars, or finer than a micro-dollar
    per million tokens (prices are exact; nothing is rounded here).
    """
    try:
        dollars = Decimal(dollars_per_million_tokens)
    except InvalidOperation:
        raise ValueError(f"{dollars_per_million_tokens!r} is not an amount of dollars") from None
    if not dollars.is_finite() or not 0 <= dollars <= _MAX_DOLLARS_PER_MILLION_TOKENS:
        raise ValueError(f"a price lies between 0 and {_MAX_DOLLARS_PER_MILLION_TOKENS} dollars")
    microdollars = dollars * MICRODOLLARS_PER_DOLLAR
    if microdollars != microdollars.to_integral_value():
        raise ValueError(f"{dollars_per_million_tokens} is finer than a micro-dollar per million tokens")
    return int(microdollars)


def nanodollars_from_dollars(dollars: str) -> int:
    """Parse an amount as people write it, such as ``"25"`` or ``"0.50"``, exactly.

    Raises ValueError when it is not a number, negative, above a billion dollars, or finer than a nano-dollar.
    """
    try:
        amount = Decimal(dollars)
    except InvalidOperation:
        raise ValueError(f"{dollars!r} is not an amount of dollars") from None
    if not amount.is_finite() or not 0 <= amount <= NANODOLLARS_PER_DOLLAR:
        raise ValueError("an amount lies between 0 and a billion dollars")
    nanodollars = amount * NANODOLLARS_PER_DOLLAR
    if nanodollars != nanodollars.to_integral_value():
        raise ValueError(f"{dollars} is finer than a nano-dollar")
    return int(nanodollars)


def format_dollars(nanodollars: int) -> str:
    """All nine decimals, so that no digit of a bill is hidden: ``-0.000000042``."""
    sign = "-" if nanodollars < 0 else ""
    dollars, rest = divmod(abs(nanodollars), NANODOLLARS_PER_DOLLAR)
    return f"{sign}{dollars}.{rest:09d}"


def format_picodollars(picodollars: int) -> str:
    """In dollars with twelve decimals, for amounts that have not been rounded: ``0.000000042500``."""
    nanodollars, rest = divmod(abs(picodollars), PICODOLLARS_PER_NANODOLLAR)
    return f"{'-' if picodollars < 0 else ''}{format_dollars(nanodollars)}{rest:03d}"


def format_price(picodollars_per_token: int) -> str:
    """In dollars per million tokens, without the zeros that say nothing, but with at least two decimals: ``0.10``."""
    dollars, micros = divmod(picodollars_per_token, MICRODOLLARS_PER_DOLLAR)
    decimals = f"{micros:06d}".rstrip("0")
    return f"{dollars}.{decimals:0<2}"
