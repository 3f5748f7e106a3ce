"""An account with an outbox, and a courier whose ways a test chooses."""

import pytest

from servery.control.open_account import open_account
from servery.core.clock import ManualClock
from servery.notifications.channel import Outcome, Parcel
from servery.notifications.courier import Courier
from servery.notifications.event import EventKind
from servery.notifications.outbox import Outbox
from servery.notifications.webhooks import Webhooks
from servery.store.database import Database


class Way:
    """A channel that keeps what it is given, and answers with ``outcome``."""

    def __init__(self) -> None:
        self.outcome = Outcome(delivered=True, words="taken")
        self.parcels: list[Parcel] = []

    async def deliver(self, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        return self.outcome


class Office:
    """The accounts ``acme`` and ``beta``, what they are told, and how it is carried."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.outbox = Outbox(clock)
        self.webhooks = Webhooks(database, clock)
        self.way, self.mail = Way(), Way()
        self.courier = self.new_courier(self.way)

    def new_courier(self, way: Way) -> Courier:
        return Courier(self.database, self.clock, webhook=way, mail=self.mail, draw=lambda: 0.0)

    async def add(self, *, email: str = "") -> None:
        """Acme's credits come to an end."""
        await self.database.write(
            lambda connection: self.outbox.add(
                connection, "acme", EventKind.CREDIT_LOW, "Something.", {"left": "1"}, emails=filter(None, [email])
            )
        )


@pytest.fixture
async def office(database: Database, clock: ManualClock) -> Office:
    for account in ("acme", "beta"):
        await open_account(database, clock, account)
    return Office(database, clock)
