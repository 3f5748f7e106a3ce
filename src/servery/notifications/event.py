"""What accounts are told."""

from enum import StrEnum

import msgspec

from servery.core.clock import rfc3339


class EventKind(StrEnum):
    """The kinds of events, as their ``type`` names them. ``docs/webhooks.md`` has a row for each."""

    BUDGET_THRESHOLD = "budget.threshold_reached"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    SPEND_TIER_CHANGED = "spend_tier.changed"
    CREDIT_LOW = "credit.low"
    CREDIT_DEPLETED = "credit.depleted"
    KEY_CREATED = "api_key.created"
    KEY_EXPIRING = "api_key.expiring"
    MODEL_DEPRECATED = "model.deprecation_announced"
    TEST = "webhook.test"


Facts = dict[str, str | int | bool]
"""The data of an event. Amounts are nano-dollars as text, moments RFC 3339."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about an account. ``summary`` is one sentence for people."""

    id: str
    account: str
    kind: EventKind
    summary: str
    data: Facts
    created_ns: int

    def payload(self) -> bytes:
        """The JSON that is delivered."""
        return msgspec.json.encode(
            {
                "id": self.id,
                "type": self.kind,
                "account": f"accounts/{self.account}",
                "createTime": rfc3339(self.created_ns),
                "summary": self.summary,
                "data": self.data,
            }
        )
