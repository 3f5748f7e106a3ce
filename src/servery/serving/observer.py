"""Who is told of each request that ended, once, in one place."""

from typing import Protocol

from servery.billing.charge import Charge
from servery.metering.usage_record import UsageRecord


class Observer(Protocol):
    """Counts and logs; never blocks, never raises."""

    def ended(self, record: UsageRecord, charge: Charge) -> None:
        """A request that reached an engine is over, and was charged."""
        ...
