"""The courier: carries what is in the outbox to where it is wanted, until it arrives or a day has passed."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import msgspec

from servery.core.clock import Clock
from servery.core.errors import NotFound, Overloaded, ServeryError
from servery.notifications.channel import Channel, Outcome, Parcel
from servery.notifications.retry_plan import next_attempt_ns
from servery.notifications.webhooks import Webhooks
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

AT_ONCE: Final = 16
CLAIM_S: Final = 120.0
"""A delivery whose courier has died is taken up by another after so long: longer than any attempt takes."""

KEPT_S: Final = 30 * 86_400.0
_TIDY_S: Final = 3_600.0


class _Delivery(msgspec.Struct, frozen=True):
    """A row of the query ``due_deliveries``."""

    id: str
    webhook_id: str | None
    email: str | None
    attempts: int
    created_ns: int
    due_ns: int
    event_id: str
    account: str
    kind: str
    payload: str
    url: str | None
    secret: str | None

    def parcel(self) -> Parcel:
        return Parcel(
            event_id=self.event_id,
            delivery_id=self.id,
            account=self.account,
            kind=self.kind,
            payload=self.payload.encode(),
            url=self.url or "",
            secret=self.secret or "",
            email=self.email or "",
        )


class Courier:
    """``carry`` is one of a platform's rounds; several platforms may carry from one outbox."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        webhook: Channel,
        mail: Channel,
        draw: Callable[[], float] = random.random,
    ) -> None:
        queries = load_queries("servery.notifications", "outbox.sql")
        self._due = queries["due_deliveries"]
        self._claim = queries["claim_delivery"]
        self._record = queries["record_attempt"]
        self._forget = (queries["forget_deliveries"], queries["forget_events"])
        self._database = database
        self._clock = clock
        self._webhook = webhook
        self._mail = mail
        self._draw = draw
        self._webhooks = Webhooks(database, clock)
        self._tidy_due_s = clock.monotonic_s()

    async def carry(self) -> int:
        """Attempt all deliveries that are due, a few at a time; how many were attempted."""
        attempted = 0
        while due := await self._claimed():
            try:
                async with asyncio.TaskGroup() as group:
                    for delivery in due:
                        group.create_task(self._attempt(delivery))
            except ExceptionGroup as errors:  # not `except*`: before Python 3.11.4 it groups what it raises
                if errors.split(ServeryError)[1] is not None:
                    raise
                # What was not written down is carried again when its claim ends.
                raise Overloaded("what came of deliveries could not be written down") from errors
            attempted += len(due)
        if self._clock.monotonic_s() >= self._tidy_due_s:
            await self._tidy()
        return attempted

    async def _claimed(self) -> list[_Delivery]:
        now_ns = self._clock.wall_ns()
        chosen = {"now_ns": now_ns, "most": AT_ONCE}
        rows = await self._database.look_up(lambda connection: connection.execute(self._due, chosen).fetchall())
        if not rows:
            return []
        until_ns = now_ns + int(CLAIM_S * 1e9)

        def claim(connection: Connection) -> list[_Delivery]:
            return [
                delivery
                for delivery in (_Delivery(*row) for row in rows)
                if connection.execute(
                    self._claim, {"id": delivery.id, "due_ns": delivery.due_ns, "until_ns": until_ns}
                ).rowcount
                == 1
            ]

        return await self._database.write(claim)

    async def _attempt(self, delivery: _Delivery) -> None:
        channel = self._mail if delivery.webhook_id is None else self._webhook
        outcome = await channel.deliver(delivery.parcel())
        now_ns = self._clock.wall_ns()
        again_ns = None
        if not (outcome.delivered or outcome.is_final):
            again_ns = next_attempt_ns(
                created_ns=delivery.created_ns, now_ns=now_ns, attempts=delivery.attempts + 1, random=self._draw()
            )
        await self._database.write(lambda connection: self._note(connection, delivery, outcome, again_ns, now_ns))

    def _note(
        self, connection: Connection, delivery: _Delivery, outcome: Outcome, again_ns: int | None, now_ns: int
    ) -> None:
        state = "delivered" if outcome.delivered else "failed" if again_ns is None else "pending"
        noted = connection.execute(
            self._record,
            {
                "id": delivery.id,
                "state": state,
                "due_ns": now_ns if again_ns is None else again_ns,
                "attempted_ns": now_ns,
                "outcome": outcome.words,
            },
        )
        if noted.rowcount == 1 and state == "failed" and delivery.webhook_id is not None:
            reason = f"not reached for a day: {outcome.words}" if not outcome.is_final else outcome.words
            try:
                self._webhooks.set_disabled(connection, delivery.account, delivery.webhook_id, now_ns, reason)
            except NotFound:
                return  # it was deleted meanwhile

    async def _tidy(self) -> None:
        """Forget what was settled a month ago."""
        self._tidy_due_s = self._clock.monotonic_s() + _TIDY_S
        before = {"before_ns": self._clock.wall_ns() - int(KEPT_S * 1e9)}

        def operation(connection: Connection) -> None:
            for query in self._forget:
                connection.execute(query, before)

        await self._database.write(operation)
