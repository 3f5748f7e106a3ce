"""``/v1/accounts/{account}/webhooks``: places that an account wants to be told at."""

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.notifications.event import EventKind
from servery.notifications.outbox import Outbox
from servery.notifications.webhooks import DeliveryReport, Webhook, Webhooks
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.nothing import Nothing


class NewWebhook(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST .../webhooks``; without ``events`` it is told everything."""

    url: str
    events: list[EventKind] = []


class WebhookChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``PATCH .../webhooks/{webhook}``."""

    disabled: bool


class WebhookResource(msgspec.Struct, rename="camel"):
    """A webhook as it is shown; ``secret`` only by its creation."""

    name: str
    url: str
    events: tuple[EventKind, ...]
    create_time: str
    disabled: bool
    disabled_reason: str
    secret: str | UnsetType = UNSET


class DeliveryResource(msgspec.Struct, rename="camel"):
    """How an event's delivery stands. ``nextAttemptTime`` while it is pending."""

    delivery_id: str
    event_id: str
    event: str
    state: str
    attempts: int
    create_time: str
    last_outcome: str
    last_attempt_time: str | UnsetType = UNSET
    next_attempt_time: str | UnsetType = UNSET


class WebhookEndpoints:
    """Handlers for webhooks and the log of what was sent to them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._accounts = Accounts(database, clock)
        self._webhooks = Webhooks(database, clock)
        self._outbox = Outbox(clock)

    async def list_all(self, request: Request, caller: Caller) -> Response:
        seen = await self._webhooks.list(account_of(request, caller))
        return Listing(request, WebhookResource).response("webhooks", seen, _shown)

    async def create(self, request: Request, caller: Caller) -> WebhookResource:
        account = (await self._accounts.get(account_of(request, caller))).id
        wanted = await body_of(request, NewWebhook)
        created = await self._webhooks.create(account, wanted.url, wanted.events)
        return msgspec.structs.replace(_shown(created.webhook), secret=created.secret)

    async def get(self, request: Request, caller: Caller) -> WebhookResource:
        return _shown(await self._named(request, caller))

    async def update(self, request: Request, caller: Caller) -> WebhookResource:
        webhook = await self._named(request, caller)
        if (await body_of(request, WebhookChange)).disabled:
            return _shown(await self._webhooks.disable(webhook.account, webhook.id, "disabled by the account"))
        return _shown(await self._webhooks.enable(webhook.account, webhook.id))

    async def delete(self, request: Request, caller: Caller) -> Nothing:
        webhook = await self._named(request, caller)
        await self._webhooks.delete(webhook.account, webhook.id)
        return Nothing()

    async def test(self, request: Request, caller: Caller) -> Nothing:
        """Send an event that says nothing, so that a receiver can be tried out."""
        webhook = await self._named(request, caller)
        await self._database.change(
            lambda connection: self._outbox.add_to(
                connection, webhook, EventKind.TEST, f"A test of the webhook {webhook.id}.", {"webhook": webhook.id}
            )
        )
        return Nothing()

    async def list_deliveries(self, request: Request, caller: Caller) -> Response:
        """The latest 200, newest first."""
        seen = await self._webhooks.deliveries(await self._named(request, caller))
        return Listing(request, DeliveryResource).response("deliveries", seen, _shown_delivery)

    async def _named(self, request: Request, caller: Caller) -> Webhook:
        return await self._webhooks.get(account_of(request, caller), request.path_params["webhook"])


def _shown(webhook: Webhook) -> WebhookResource:
    return WebhookResource(
        name=f"accounts/{webhook.account}/webhooks/{webhook.id}",
        url=webhook.url,
        events=webhook.kinds,
        create_time=rfc3339(webhook.created_ns),
        disabled=webhook.disabled_ns is not None,
        disabled_reason=webhook.disabled_reason,
    )


def _shown_delivery(report: DeliveryReport) -> DeliveryResource:
    return DeliveryResource(
        delivery_id=report.id,
        event_id=report.event_id,
        event=report.kind,
        state=report.state.upper(),
        attempts=report.attempts,
        create_time=rfc3339(report.created_ns),
        last_outcome=report.last_outcome,
        last_attempt_time=UNSET if report.last_attempt_ns is None else rfc3339(report.last_attempt_ns),
        next_attempt_time=rfc3339(report.due_ns) if report.state == "pending" else UNSET,
    )
