"""Webhooks: places of an account's own that want to be told."""

import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from servery.core.clock import Clock
from servery.core.errors import InvalidRequest, NotFound, PreconditionFailed
from servery.notifications.event import EventKind
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

WEBHOOKS_MAX: Final = 20
_URL_CHARS_MAX: Final = 2_048


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a webhook. ``kinds`` empty: it wants to know everything."""

    id: str
    account: str
    url: str
    kinds: tuple[EventKind, ...]
    created_ns: int
    disabled_ns: int | None
    disabled_reason: str

    def wants(self, kind: EventKind) -> bool:
        return self.disabled_ns is None and (not self.kinds or kind in self.kinds)


class CreatedWebhook(msgspec.Struct, frozen=True):
    """A webhook at its creation: the only time when its secret is shown. Its repr leaves it out."""

    secret: str
    webhook: Webhook

    def __repr__(self) -> str:
        return f"CreatedWebhook(webhook={self.webhook!r})"


class DeliveryReport(msgspec.Struct, frozen=True):
    """How a delivery stands; a row of the query ``deliveries_of_webhook``."""

    id: str
    event_id: str
    kind: str
    state: str
    attempts: int
    created_ns: int
    due_ns: int
    last_attempt_ns: int | None
    last_outcome: str


class Webhooks:
    """The webhooks in the database. Their secrets are kept as they are, because they sign."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.notifications", "outbox.sql")
        self._insert = queries["insert_webhook"]
        self._set_disabled = queries["set_webhook_disabled"]
        self._delete = queries["delete_webhook"]
        self._abandon = queries["abandon_deliveries"]
        self._deliveries = queries["deliveries_of_webhook"]
        self._database = database
        self._clock = clock

    async def create(self, account: str, url: str, kinds: Sequence[EventKind] = ()) -> CreatedWebhook:
        """A new webhook of an account that exists. Raises InvalidRequest for a URL that cannot be one, and
        PreconditionFailed when there are too many."""
        checked_url(url)
        secret = f"whsec_{secrets.token_urlsafe(32)}"
        webhook = Webhook(
            id=f"wh-{secrets.token_hex(8)}",
            account=account,
            url=url,
            kinds=tuple(dict.fromkeys(kinds)),
            created_ns=self._clock.wall_ns(),
            disabled_ns=None,
            disabled_reason="",
        )

        def operation(connection: Connection) -> CreatedWebhook:
            if len(webhooks_within(connection, account)) >= WEBHOOKS_MAX:
                raise PreconditionFailed(f"An account has {WEBHOOKS_MAX} webhooks at most.")
            connection.execute(
                self._insert,
                {
                    "id": webhook.id,
                    "account": account,
                    "url": url,
                    "secret": secret,
                    "kinds": msgspec.json.encode(webhook.kinds).decode(),
                    "created_ns": webhook.created_ns,
                },
            )
            return CreatedWebhook(secret, webhook)

        return await self._database.change(operation)

    async def list(self, account: str) -> list[Webhook]:
        """The account's webhooks, oldest first."""
        return await self._database.look_up(lambda connection: webhooks_within(connection, account))

    async def get(self, account: str, webhook_id: str) -> Webhook:
        """Raises NotFound."""
        found = next((webhook for webhook in await self.list(account) if webhook.id == webhook_id), None)
        if found is None:
            raise NotFound(f"The account {account!r} has no webhook {webhook_id!r}.", param="webhook")
        return found

    async def enable(self, account: str, webhook_id: str) -> Webhook:
        """Send to it again from now on. Raises NotFound."""
        await self._database.change(lambda connection: self.set_disabled(connection, account, webhook_id, None, ""))
        return await self.get(account, webhook_id)

    async def disable(self, account: str, webhook_id: str, reason: str) -> Webhook:
        """Send nothing more to it, for ``reason``. Raises NotFound."""
        now_ns = self._clock.wall_ns()

        def operation(connection: Connection) -> None:
            self.set_disabled(connection, account, webhook_id, now_ns, reason)

        await self._database.change(operation)
        return await self.get(account, webhook_id)

    async def delete(self, account: str, webhook_id: str) -> None:
        """Raises NotFound."""
        values = {"id": webhook_id, "account": account, "deleted_ns": self._clock.wall_ns()}

        def operation(connection: Connection) -> None:
            if connection.execute(self._delete, values).rowcount == 0:
                raise NotFound(f"The account {account!r} has no webhook {webhook_id!r}.", param="webhook")
            connection.execute(self._abandon, {"webhook_id": webhook_id, "reason": "the webhook was deleted"})

        await self._database.change(operation)

    def set_disabled(
        self, connection: Connection, account: str, webhook_id: str, disabled_ns: int | None, reason: str
    ) -> None:
        """In a transaction; what was on its way to a webhook that is disabled is not sent. Raises NotFound."""
        values = {"id": webhook_id, "account": account, "disabled_ns": disabled_ns, "reason": reason}
        if connection.execute(self._set_disabled, values).rowcount == 0:
            raise NotFound(f"The account {account!r} has no webhook {webhook_id!r}.", param="webhook")
        if disabled_ns is not None:
            connection.execute(self._abandon, {"webhook_id": webhook_id, "reason": reason})

    async def deliveries(self, webhook: Webhook, *, most: int = 200) -> Sequence[DeliveryReport]:
        """The latest deliveries, newest first."""
        chosen = {"webhook_id": webhook.id, "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._deliveries, chosen).fetchall())
        return [DeliveryReport(*row) for row in rows]


def webhooks_within(connection: Connection, account: str) -> list[Webhook]:
    """The account's webhooks, as ``connection`` sees them."""
    query = load_queries("servery.notifications", "outbox.sql")["webhooks_of_account"]
    return [_webhook(row) for row in connection.execute(query, {"account": account}).fetchall()]


def checked_url(url: str) -> str:
    """Raises InvalidRequest for what is not an http or https URL with a host, or carries a password. Whether the host
    may be reached is seen when something is sent: names change what they resolve to."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or len(url) > _URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidRequest("url is an http or https URL", param="url")
    if "@" in parts.netloc:
        raise InvalidRequest("url carries no user or password; deliveries are signed", param="url")
    return url


def _webhook(row: tuple[str, str, str, str, int, int | None, str]) -> Webhook:
    webhook_id, account, url, kinds, created_ns, disabled_ns, reason = row
    return Webhook(
        id=webhook_id,
        account=account,
        url=url,
        kinds=tuple(msgspec.json.decode(kinds, type=list[EventKind])),
        created_ns=created_ns,
        disabled_ns=disabled_ns,
        disabled_reason=reason,
    )
