"""Parts that change accounts and their money."""

import pytest

from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.core.clock import ManualClock
from servery.store.database import Database


@pytest.fixture
def spending(database: Database, clock: ManualClock) -> Spending:
    return Spending(database, clock, writer="here")


@pytest.fixture
def review(database: Database, clock: ManualClock, spending: Spending) -> AccountReview:
    return AccountReview(database, clock, spending=spending, tiers=USUAL_TIERS)
