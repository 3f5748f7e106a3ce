"""One row of a price list as people write it: dollars per million tokens."""

import itertools
from datetime import UTC, date, datetime
from typing import Annotated, Self, assert_never

import msgspec
from msgspec import Meta

from servery.catalog.price_schedule import ALWAYS_NS, PriceSchedule, PriceStep
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
    """``cached_input`` not listed is half of ``input``; ``output`` may be left out only where nothing is generated.
    ``starts`` (written ``from``) is the day, at 00:00 UTC, from which the row is in force; None: from the beginning.
    """

    input: PricePerToken
    cached_input: PricePerToken | None = None
    output: PricePerToken | None = None
    starts: date | None = msgspec.field(name="from", default=None)

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


PriceRows = PriceRow | Annotated[tuple[PriceRow, ...], Meta(min_length=1)]
"""A row; or several, the first in force until the day that the second names, and so on."""


def rows_of(rows: PriceRows | None) -> tuple[PriceRow, ...]:
    """All rows, in their order; none for None."""
    if rows is None:
        return ()
    return (rows,) if isinstance(rows, PriceRow) else rows


def check_days(rows: PriceRows | None) -> None:
    """Raises ValueError unless the first row is in force from the beginning and each other from a later day."""
    given = rows_of(rows)
    if given and given[0].starts is not None:
        raise ValueError("the first price is in force from the beginning: leave out its 'from'")
    days = [row.starts for row in given[1:]]
    if None in days:
        raise ValueError("each price after the first needs a 'from'")
    if any(not earlier < later for earlier, later in itertools.pairwise(days)):  # type: ignore[operator]
        raise ValueError("prices stand in the order of their 'from', each from another day")


def schedule_of(rows: PriceRows) -> PriceSchedule:
    """The rows, which were checked, as a schedule."""
    return PriceSchedule(tuple(PriceStep(_start_ns(row.starts), row.price()) for row in rows_of(rows)))


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's rows by serving path; a model without ``priority`` serves Priority requests as Standard. ``batch`` not
    listed is half of ``standard`` on every dimension."""

    standard: PriceRows
    priority: PriceRows | None = None
    batch: PriceRows | None = None

    def __post_init__(self) -> None:
        for rows in (self.standard, self.priority, self.batch):
            check_days(rows)

    def of(self, path: ServingPath) -> PriceSchedule | None:
        """The prices of ``path``; None where the model has none. Fast has its price at the router. Raises ValueError
        where the half that batch costs is finer than a price can be."""
        match path:
            case ServingPath.STANDARD:
                return schedule_of(self.standard)
            case ServingPath.PRIORITY:
                return None if self.priority is None else schedule_of(self.priority)
            case ServingPath.BATCH:
                return schedule_of(self.standard).halved() if self.batch is None else schedule_of(self.batch)
            case ServingPath.FAST:
                return None
            case _:
                assert_never(path)


def _start_ns(day: date | None) -> int:
    if day is None:
        return ALWAYS_NS
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000
