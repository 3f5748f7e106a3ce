"""One row of a price list as people write it: dollars per million tokens."""

from typing import Self, assert_never

import msgspec

from servery.core.money import picodollars_per_token
from servery.core.price import Price
from servery.core.serving_path import ServingPath


class PricePerToken(int):
    """Pico-dollars per token, written in a catalog as dollars per million tokens."""

    @classmethod
    def parse(cls, dollars_per_million_tokens: str) -> Self:
        """Exact; raises ValueError for what is not a price (``core.money.picodollars_per_token``)."""
        return cls(picodollars_per_token(dollars_per_million_tokens))


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cached_input`` not listed is half of ``input``; ``output`` may be left out only where nothing is generated."""

    input: PricePerToken
    cached_input: PricePerToken | None = None
    output: PricePerToken | None = None

    def __post_init__(self) -> None:
        if self.cached_input is None and self.input % 2 == 1:
            raise ValueError("half of input is finer than a micro-dollar per million tokens: list cached_input")
        if self.cached_input is not None and self.cached_input > self.input:
            raise ValueError("cached_input costs more than input")

    def price(self) -> Price:
        return Price(
            input_picodollars_per_token=int(self.input),
            cached_input_picodollars_per_token=int(self.input // 2 if self.cached_input is None else self.cached_input),
            output_picodollars_per_token=int(self.output or 0),
        )


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's rows by serving path; a model without ``priority`` serves Priority requests as Standard."""

    standard: PriceRow
    priority: PriceRow | None = None

    def of(self, path: ServingPath) -> PriceRow | None:
        """The row of ``path``; None where the model has none. Fast has its price at the router."""
        match path:
            case ServingPath.STANDARD:
                return self.standard
            case ServingPath.PRIORITY:
                return self.priority
            case ServingPath.FAST:
                return None
            case _:
                assert_never(path)
