"""The control plane's paths about money."""

from typing import Final

import msgspec
from starlette.routing import Route

from servery.billing.price_book import PriceBook
from servery.catalog.catalog import Catalog
from servery.core.clock import Clock
from servery.metering.shared_refusals import SharedRefusals
from servery.routing.placements import Placements
from servery.store.database import Database
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.permissions import Permission
from servery.web.control.billing_usage import BillingUsageEndpoints
from servery.web.control.invoices import InvoiceEndpoints
from servery.web.control.pricing import PricingEndpoints
from servery.web.control.receipts import ReceiptEndpoints
from servery.web.control.resource import Action, Resource
from servery.web.control.usage_costs import UsageCostEndpoints

_ACCOUNT: Final = "/v1/accounts/{account}"


class BillingParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the paths about money work on, beside what all paths do. ``worker`` is the number of this process, whose
    memory holds ``placements``."""

    prices: PriceBook
    refused: SharedRefusals
    placements: Placements
    worker: int


def billing_routes(
    parts: BillingParts, *, database: Database, clock: Clock, catalog: Catalog, key_ring: KeyRing
) -> list[Route]:
    """Usage, costs, receipts, invoices and prices."""
    usage = BillingUsageEndpoints(database, clock)
    costs = UsageCostEndpoints(database, clock)
    receipts = ReceiptEndpoints(database, parts.refused, parts.placements, worker=parts.worker)
    invoices = InvoiceEndpoints(database, clock)
    prices = PricingEndpoints(parts.prices, catalog.gpu_hours, clock)
    own, all_usage, operate = Permission.READ_OWN_USAGE, Permission.READ_USAGE, Permission.OPERATE
    actions = {
        f"{_ACCOUNT}/billingUsage": {"GET": Action(own, usage.get)},
        f"{_ACCOUNT}/billing/summary": {"GET": Action(all_usage, costs.summary)},
        f"{_ACCOUNT}/usageCosts:query": {"POST": Action(own, costs.query)},
        f"{_ACCOUNT}/requests": {"GET": Action(own, receipts.list_all)},
        _ACCOUNT + "/requests/{request}": {"GET": Action(own, receipts.get)},
        f"{_ACCOUNT}/invoices": {"GET": Action(all_usage, invoices.list_all)},
        _ACCOUNT + "/invoices/{month}": {"GET": Action(all_usage, invoices.get)},
        f"{_ACCOUNT}/pricingPlans": {"GET": Action(Permission.READ_ACCOUNT, prices.plans)},
        "/v1/invoices:close": {"POST": Action(operate, invoices.close)},
        "/v1/pricing/changes": {"POST": Action(operate, prices.change)},
    }
    audit = AuditLog(database, clock)
    return [Route(path, Resource(key_ring, audit, methods)) for path, methods in actions.items()]
