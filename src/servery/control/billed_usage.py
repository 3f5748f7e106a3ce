"""What each account is to be billed for, found again from the records alone."""

from collections.abc import Iterable, Sequence
from typing import Final

from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import billing_month_of
from servery.billing.invoice import ModelUsage
from servery.core.serving_path import ServingPath

HOUR_NS: Final = 3_600_000_000_000

Account = str
Place = tuple[str, str, str]
"""Model, serving path and price version."""


class BilledUsage:
    """Adds up usage records by account, month, model, serving path and price; each record as it is rated anew."""

    def __init__(self, marks: Sequence[tuple[BillingMonth, int]], *, rolled_up: int) -> None:
        """``marks`` are the closed months with the last record that had been counted; ``rolled_up`` is the last that is
        in the hourly sums."""
        self._marks = marks
        self._rolled_up = rolled_up
        self._months: dict[int, BillingMonth] = {}
        self._sums: dict[tuple[Account, BillingMonth], dict[Place, list[int]]] = {}

    def add(
        self, tokens: tuple[int, int, int], nanodollars: int, *, account: str, place: Place, sequence: int, hour: int
    ) -> None:
        """Take in one record, or several that have all of this in common and lie on one side of each mark: ``tokens``
        uncached, cached and generated. Those that are not in the hourly sums yet are on no invoice."""
        if sequence > self._rolled_up:
            return
        own = self._months.get(hour)
        if own is None:
            own = self._months[hour] = BillingMonth.of(hour * HOUR_NS)
        month = billing_month_of(own, sequence, self._marks) if self._marks else own
        places = self._sums.setdefault((account, month), {})
        sums = places.setdefault(place, [0, 0, 0, 0])
        for index, amount in enumerate((*tokens, nanodollars)):
            sums[index] += amount

    def accounts(self) -> Iterable[tuple[Account, BillingMonth]]:
        """Who has used anything in which month."""
        return self._sums.keys()

    def of(self, account: str, month: BillingMonth) -> list[ModelUsage]:
        """What belongs on the account's invoice of that month."""
        return [
            ModelUsage(
                model=model,
                serving_path=ServingPath(path),
                price_id=price_id,
                uncached_prompt_tokens=uncached,
                cached_prompt_tokens=cached,
                generated_tokens=generated,
                nanodollars=nanodollars,
            )
            for (model, path, price_id), (uncached, cached, generated, nanodollars) in self._sums.get(
                (account, month), {}
            ).items()
        ]
