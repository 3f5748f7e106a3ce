"""The parts by which a command changes money, over the database of a data directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from servery.billing.spend_tiers import SpendTiers
from servery.billing.spending import OPERATOR, Spending
from servery.cli.data_directory import existing_database
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.rebuild_projections import ProjectionRebuild
from servery.control.reverse_transfer import TransferReversal
from servery.control.spend_limit import SpendLimit
from servery.core.clock import SystemClock
from servery.settings import Settings
from servery.tenancy.audit_log import AuditLog


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's commands call."""

    review: AccountReview
    credits: Credits
    codes: CreditCodes
    limit: SpendLimit
    reversal: TransferReversal
    projections: ProjectionRebuild
    audit: AuditLog


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Books]:
    """The database is closed at the block's end. Raises Misconfigured when there is none."""
    clock = SystemClock()
    tiers = SpendTiers.parse(
        thresholds_dollars=settings.spend_tier_thresholds_dollars, budgets_dollars=settings.spend_tier_budgets_dollars
    )
    async with existing_database(settings) as database:
        spending = Spending(database, clock, writer=OPERATOR, tiers=tiers)
        review = AccountReview(database, clock, spending=spending, tiers=tiers)
        yield Books(
            review=review,
            credits=Credits(database, clock, spending=spending, review=review),
            codes=CreditCodes(database, clock),
            limit=SpendLimit(database, clock, review),
            reversal=TransferReversal(database, clock, spending=spending, review=review),
            projections=ProjectionRebuild(database, clock, spending),
            audit=AuditLog(database, clock),
        )
