"""What tokens cost: one row of a price list, resolved to exact integers (money.md, rules 1 and 3)."""

from typing import Final

import msgspec

_MAX_PICODOLLARS_PER_TOKEN: Final = 1_000_000_000_000


class Price(msgspec.Struct, frozen=True):
    """Pico-dollars per token (which is micro-dollars per million tokens): of the prompt where the engine had to
    compute it, of the prompt where it had it cached, and generated. Each from 0 to a dollar per token.

    A value, taken into a request's snapshot when the request is admitted: later price changes do not reach it.
    """

    input_picodollars_per_token: int
    cached_input_picodollars_per_token: int
    output_picodollars_per_token: int

    def __post_init__(self) -> None:
        for picodollars_per_token in msgspec.structs.astuple(self):
            assert 0 <= picodollars_per_token <= _MAX_PICODOLLARS_PER_TOKEN, "a price lies between 0 and $1 a token"
