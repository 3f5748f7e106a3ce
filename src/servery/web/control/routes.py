"""The control plane's paths."""

from typing import Final

import msgspec
from starlette.routing import Route

from servery.billing.budgets import Budgets
from servery.billing.spending import Spending
from servery.catalog.catalog import Catalog
from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.spend_limit import SpendLimit
from servery.core.clock import Clock
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.permissions import Permission
from servery.web.control.accounts import AccountEndpoints
from servery.web.control.api_keys import ApiKeyEndpoints
from servery.web.control.audit_logs import AuditEndpoints
from servery.web.control.billing_routes import BillingParts, billing_routes
from servery.web.control.credits import CreditEndpoints
from servery.web.control.models import ModelEndpoints
from servery.web.control.quotas import QuotaEndpoints
from servery.web.control.rate_limits import Limits, RateLimitEndpoints
from servery.web.control.resource import Action, Resource
from servery.web.control.token_usage import TokenUsageEndpoints
from servery.web.control.users import UserEndpoints
from servery.web.control.webhooks import WebhookEndpoints

_ACCOUNT: Final = "/v1/accounts/{account}"
_USER: Final = "/v1/accounts/{account}/users/{user}"


class ControlParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane works on. ``domain`` stands in the addresses of service accounts."""

    database: Database
    clock: Clock
    catalog: Catalog
    key_ring: KeyRing
    limits: Limits
    billing: BillingParts
    budgets: Budgets
    spending: Spending
    review: AccountReview
    watch: AccountWatch
    domain: str


def control_routes(parts: ControlParts) -> list[Route]:
    """Routes for a Starlette application; a path that is not here is for the application to refuse. Where two match,
    the first is meant."""
    return [
        *_tenancy_routes(parts),
        *_money_routes(parts),
        *_billing_routes(parts),
        *_limit_routes(parts),
        *_model_routes(parts),
    ]


def _tenancy_routes(parts: ControlParts) -> list[Route]:
    accounts = AccountEndpoints(
        parts.database,
        parts.clock,
        limit=SpendLimit(parts.database, parts.clock, parts.review),
        review=parts.review,
        watch=parts.watch,
    )
    users = UserEndpoints(parts.database, parts.clock, parts.watch, domain=parts.domain)
    keys = ApiKeyEndpoints(parts.database, parts.clock, parts.watch)
    own_keys, manage_users = Permission.OWN_KEYS, Permission.MANAGE_USERS
    return [
        _route(
            parts,
            "/v1/accounts",
            GET=Action(Permission.READ_ACCOUNT, accounts.list_all),
            POST=Action(Permission.OPERATE, accounts.create),
        ),
        _route(parts, f"{_ACCOUNT}:suspend", POST=Action(Permission.OPERATE, accounts.suspend)),
        _route(parts, f"{_ACCOUNT}:resume", POST=Action(Permission.OPERATE, accounts.resume)),
        _route(parts, f"{_ACCOUNT}:pinSpendTier", POST=Action(Permission.OPERATE, accounts.pin_tier)),
        _route(parts, f"{_ACCOUNT}:setPrepaid", POST=Action(Permission.OPERATE, accounts.set_prepaid)),
        _route(
            parts,
            _ACCOUNT,
            GET=Action(Permission.READ_ACCOUNT, accounts.get),
            PATCH=Action(Permission.MANAGE_ACCOUNT, accounts.update),
        ),
        _route(
            parts,
            f"{_ACCOUNT}/users",
            GET=Action(manage_users, users.list_all),
            POST=Action(manage_users, users.create),
        ),
        _route(
            parts,
            _USER,
            GET=Action(manage_users, users.get),
            PATCH=Action(manage_users, users.update),
            DELETE=Action(manage_users, users.delete),
        ),
        *(
            route
            for owner in (_ACCOUNT, _USER)
            for route in (
                _route(
                    parts,
                    f"{owner}/apiKeys",
                    GET=Action(own_keys, keys.list_all),
                    POST=Action(own_keys, keys.create),
                ),
                _route(parts, f"{owner}/apiKeys:delete", POST=Action(own_keys, keys.delete)),
            )
        ),
    ]


def _billing_routes(parts: ControlParts) -> list[Route]:
    return billing_routes(
        parts.billing, database=parts.database, clock=parts.clock, catalog=parts.catalog, key_ring=parts.key_ring
    )


def _limit_routes(parts: ControlParts) -> list[Route]:
    limits = RateLimitEndpoints(parts.database, parts.clock, parts.catalog, parts.limits)
    rates = TokenUsageEndpoints(parts.database, parts.clock, parts.catalog)
    path = f"{_ACCOUNT}/serverlessRateLimits"
    return [
        _route(parts, path, GET=Action(Permission.READ_ACCOUNT, limits.get)),
        _route(parts, f"{path}:set", POST=Action(Permission.OPERATE, limits.fix)),
        _route(parts, f"{path}:clear", POST=Action(Permission.OPERATE, limits.free)),
        _route(parts, f"{_ACCOUNT}/serverlessTokenUsage", GET=Action(Permission.READ_USAGE, rates.get)),
    ]


def _money_routes(parts: ControlParts) -> list[Route]:
    database, clock, review, watch = parts.database, parts.clock, parts.review, parts.watch
    quotas = QuotaEndpoints(Accounts(database, clock), SpendLimit(database, clock, review), review, watch)
    credit = CreditEndpoints(
        Credits(database, clock, spending=parts.spending, review=review), CreditCodes(database, clock), review, watch
    )
    hooks = WebhookEndpoints(database, clock)
    read, manage, operate = Permission.READ_USAGE, Permission.MANAGE_ACCOUNT, Permission.OPERATE
    return [
        _route(parts, f"{_ACCOUNT}/quotas", GET=Action(read, quotas.list_all)),
        _route(parts, _ACCOUNT + "/quotas/{quota}", GET=Action(read, quotas.get), PATCH=Action(manage, quotas.update)),
        _route(parts, f"{_ACCOUNT}/webhooks", GET=Action(manage, hooks.list_all), POST=Action(manage, hooks.create)),
        _route(parts, _ACCOUNT + "/webhooks/{webhook}:test", POST=Action(manage, hooks.test)),
        _route(
            parts,
            _ACCOUNT + "/webhooks/{webhook}",
            GET=Action(manage, hooks.get),
            PATCH=Action(manage, hooks.update),
            DELETE=Action(manage, hooks.delete),
        ),
        _route(parts, _ACCOUNT + "/webhooks/{webhook}/deliveries", GET=Action(manage, hooks.list_deliveries)),
        _route(
            parts,
            f"{_ACCOUNT}/auditLogs",
            GET=Action(Permission.READ_AUDIT, AuditEndpoints(AuditLog(database, clock)).list_all),
        ),
        _route(parts, f"{_ACCOUNT}/credits", GET=Action(read, credit.get)),
        _route(parts, f"{_ACCOUNT}/credits:grant", POST=Action(operate, credit.grant)),
        _route(parts, f"{_ACCOUNT}/creditCodes:redeem", POST=Action(manage, credit.redeem)),
        _route(parts, f"{_ACCOUNT}/creditRedemptions", GET=Action(read, credit.list_redemptions)),
        _route(
            parts,
            "/v1/creditCodes",
            GET=Action(operate, credit.list_codes),
            POST=Action(operate, credit.create_code),
        ),
        _route(parts, "/v1/creditCodes/{code}:disable", POST=Action(operate, credit.disable_code)),
    ]


def _model_routes(parts: ControlParts) -> list[Route]:
    models = ModelEndpoints(parts.catalog, parts.clock)
    return [
        _route(parts, f"{_ACCOUNT}/models", GET=Action(Permission.INFER, models.list_all)),
        _route(parts, _ACCOUNT + "/models/{model}", GET=Action(Permission.INFER, models.get)),
    ]


def _route(parts: ControlParts, path: str, **actions: Action) -> Route:
    return Route(path, Resource(parts.key_ring, AuditLog(parts.database, parts.clock), actions))
