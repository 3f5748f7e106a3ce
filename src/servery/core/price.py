"""What tokens cost: one row of a price list, resolved to exact integers (money.md, rules 1 and 3)."""

from typing import Final

from servery.core.value import Value

_MAX_PICODOLLARS_PER_TOKEN: Final = 1_000_000_000_000


class Price(Value):
    """Pico-dollars per token (which is micro-dollars per million tokens): of the prompt where the engine had to
    compute it, of the prompt where it had it cached, and generated. Each from 0 to a dollar per token.

    A value, taken into a request's snapshot when the request is admitted: later price changes do not reach it.
    """

    FIELDS = ("input_picodollars_per_token", "cached_input_picodollars_per_token", "output_picodollars_per_token")
    __slots__ = FIELDS

    def __init__(
        self,
        input_picodollars_per_token: int,
        cached_input_picodollars_per_token: int,
        output_picodollars_per_token: int,
    ) -> None:
        self.input_picodollars_per_token = input_picodollars_per_token
        self.cached_input_picodollars_per_token = cached_input_picodollars_per_token
        self.output_picodollars_per_token = output_picodollars_per_token
        for picodollars_per_token in self.amounts:
            assert 0 <= picodollars_per_token <= _MAX_PICODOLLARS_PER_TOKEN, "a price lies between 0 and $1 a token"

    @property
    def amounts(self) -> list[int]:
        """Those three, in that order."""
        return [
            self.input_picodollars_per_token,
            self.cached_input_picodollars_per_token,
            self.output_picodollars_per_token,
        ]
