"""Price bands: what a model costs for which no prices are listed, by its number of parameters."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.price_row import ModelPrices, PricePerToken, PriceRow

_BILLION = 1_000_000_000
_MILLION = 1_000_000


class PriceBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price for input and output of models of up to ``up_to`` parameters (included); None: of any size."""

    price: PricePerToken
    up_to: Annotated[int, Meta(ge=1)] | None = None


def _band(up_to: int | None, dollars_per_million_tokens: str) -> PriceBand:
    return PriceBand(price=PricePerToken.parse(dollars_per_million_tokens), up_to=up_to)


Bands = Annotated[tuple[PriceBand, ...], Meta(min_length=1)]


class PriceBands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bands by rising size. A model belongs to the first that reaches its size; one that is larger than the last
    has no band, and needs prices of its own. ``moe``: mixtures of experts, by their total parameters.
    """

    dense: Bands = (_band(4 * _BILLION - 1, "0.10"), _band(16 * _BILLION, "0.20"), _band(None, "0.90"))
    moe: Bands = (_band(56 * _BILLION, "0.50"), _band(176 * _BILLION, "1.20"))
    embeddings: Bands = (_band(150 * _MILLION, "0.008"), _band(350 * _MILLION, "0.016"))

    def __post_init__(self) -> None:
        for bands in (self.dense, self.moe, self.embeddings):
            sizes = [band.up_to for band in bands]
            ends = [size for size in sizes if size is not None]
            if None in sizes[:-1] or ends != sorted(set(ends)):
                raise ValueError("bands stand by rising up_to; only the last may go without")

    def prices(self, parameter_count: int, *, is_moe: bool, generates: bool) -> ModelPrices | None:
        """The Standard row of the model's band; None where no band reaches its size. What does not generate tokens is
        charged its input alone."""
        for band in self._of(is_moe=is_moe, generates=generates):
            if band.up_to is None or parameter_count <= band.up_to:
                return ModelPrices(standard=PriceRow(input=band.price, output=band.price if generates else None))
        return None

    def bucket(self, parameter_count: int, *, is_moe: bool, generates: bool) -> str:
        """The name of the band that reaches the model's size, or of all above the last: ``under 4B``, ``4B to 16B``,
        ``MoE up to 56B``, ``embeddings over 350M``."""
        kind = "embeddings " if not generates else "MoE " if is_moe else ""
        above = 0
        for band in self._of(is_moe=is_moe, generates=generates):
            if band.up_to is None:
                break
            if parameter_count <= band.up_to:
                word = "up to" if band.up_to % _MILLION == 0 else "under"
                return f"{kind}{_size(above)} to {_size(band.up_to)}" if above else f"{kind}{word} {_size(band.up_to)}"
            above = band.up_to
        return f"{kind}over {_size(above)}"

    def _of(self, *, is_moe: bool, generates: bool) -> Bands:
        return self.embeddings if not generates else self.moe if is_moe else self.dense


def _size(parameters: int) -> str:
    """``16B``, ``350M``, to the next million."""
    millions = -(-parameters // _MILLION)
    return f"{millions // 1_000}B" if millions % 1_000 == 0 else f"{millions}M"
