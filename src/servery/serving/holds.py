"""Money held for requests that are running, and kept up with what they use."""

from typing import Final

from servery.billing.budget import estimated_nanodollars
from servery.billing.budgets import Budgets
from servery.billing.money_lender import MoneyLender
from servery.billing.rating import rate
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.price import Price
from servery.limits.estimated import Estimate
from servery.serving.journey import Journey

SWEEP_S: Final = 1.0
"""How often running requests are looked at. What they use beyond their holds is unknown for so long at most."""


class Holds:
    """Between the request path and the budgets. ``take`` and ``end`` cost a microsecond or two and ask nobody; where
    several gateways share the money, a request may have to ``borrow``."""

    def __init__(self, budgets: Budgets, lender: MoneyLender | None = None) -> None:
        self._budgets = budgets
        self._lender = lender
        self._running: dict[Journey, Price] = {}

    @property
    def running(self) -> int:
        return len(self._running)

    def knows(self, account: str) -> bool:
        """Whether the account's money is known; else ``learn`` it before ``take``."""
        return self._budgets.knows(account)

    async def learn(self, account: str) -> None:
        """Get to know the account's money. Raises Overloaded while that cannot be read."""
        await self._budgets.learn(account)

    @property
    def are_shared(self) -> bool:
        """Whether other gateways hold the same money: then requests ``borrow`` theirs, and do not ``take`` it."""
        return self._lender is not None

    def take(self, caller: Caller, offer: Offer, journey: Journey, estimate: Estimate) -> None:
        """Hold what the request is expected to cost, until ``end``. Raises PreconditionFailed when there is no room."""
        journey.holds(self._budgets.hold(caller.account, _expected_nanodollars(offer, estimate)))
        self._running[journey] = offer.price

    async def borrow(self, caller: Caller, offer: Offer, journey: Journey, estimate: Estimate) -> None:
        """As ``take``; raises Overloaded too, when it cannot be found out whether there is room."""
        assert self._lender is not None, "who does not share takes"
        journey.holds(await self._lender.hold(caller.account, _expected_nanodollars(offer, estimate)))
        self._running[journey] = offer.price

    def end(self, journey: Journey) -> None:
        """Give back what was not settled."""
        if journey in self._running:
            del self._running[journey]
            journey.hold.release()

    async def cover(self) -> None:
        """Hold for each running request at least what it has used so far."""
        for journey, price in self._running.items():
            if journey.dispatched:
                journey.hold.cover(rate(journey.usage(), price).nanodollars)


def _expected_nanodollars(offer: Offer, estimate: Estimate) -> int:
    return estimated_nanodollars(
        offer.price, prompt_tokens=estimate.prompt_tokens, generated_tokens=estimate.generated_tokens
    )
