"""The outbox: events are written with what they tell of, and carried later."""

import secrets
from collections.abc import Iterable
from typing import Final

from servery.core.clock import Clock
from servery.notifications.event import Event, EventKind, Facts
from servery.notifications.webhooks import Webhook, webhooks_within
from servery.store.connection import Connection
from servery.store.sql import load_queries

_ID_BYTES: Final = 12


class Outbox:
    """Adds events, inside the transaction of whoever has something to tell."""

    def __init__(self, clock: Clock) -> None:
        queries = load_queries("servery.notifications", "outbox.sql")
        self._insert_event = queries["insert_event"]
        self._insert_delivery = queries["insert_delivery"]
        self._insert_notice = queries["insert_notice"]
        self._clock = clock

    def add(
        self,
        connection: Connection,
        account: str,
        kind: EventKind,
        summary: str,
        data: Facts,
        *,
        emails: Iterable[str] = (),
    ) -> Event:
        """Tell ``account``: each of its webhooks that wants to know, and each of ``emails``."""
        event = Event(
            id=f"evt_{secrets.token_hex(_ID_BYTES)}",
            account=account,
            kind=kind,
            summary=summary,
            data=data,
            created_ns=self._clock.wall_ns(),
        )
        self._keep(connection, event)
        for webhook in webhooks_within(connection, account):
            if webhook.wants(kind):
                self._send(connection, event, webhook_id=webhook.id)
        for email in emails:
            self._send(connection, event, email=email)
        return event

    def add_to(self, connection: Connection, webhook: Webhook, kind: EventKind, summary: str, data: Facts) -> Event:
        """Tell one webhook alone, whatever it wants to know."""
        event = Event(
            id=f"evt_{secrets.token_hex(_ID_BYTES)}",
            account=webhook.account,
            kind=kind,
            summary=summary,
            data=data,
            created_ns=self._clock.wall_ns(),
        )
        self._keep(connection, event)
        self._send(connection, event, webhook_id=webhook.id)
        return event

    def is_news(self, connection: Connection, account: str, notice: str) -> bool:
        """Whether ``account`` has not been told ``notice`` yet; from now on it has. Once for all processes."""
        values = {"account": account, "notice": notice, "told_ns": self._clock.wall_ns()}
        return connection.execute(self._insert_notice, values).rowcount == 1

    def _keep(self, connection: Connection, event: Event) -> None:
        connection.execute(
            self._insert_event,
            {
                "id": event.id,
                "account": event.account,
                "kind": event.kind,
                "payload": event.payload().decode(),
                "created_ns": event.created_ns,
            },
        )

    def _send(
        self, connection: Connection, event: Event, *, webhook_id: str | None = None, email: str | None = None
    ) -> None:
        connection.execute(
            self._insert_delivery,
            {
                "id": f"dlv_{secrets.token_hex(_ID_BYTES)}",
                "event_id": event.id,
                "webhook_id": webhook_id,
                "email": email,
                "created_ns": event.created_ns,
            },
        )
