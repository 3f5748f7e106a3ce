"""A few requests that were used and charged."""

from pathlib import Path

from servery.billing.price_versions import PriceVersions
from servery.control.open_account import create_key
from servery.core.clock import Clock
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database
from servery.tenancy.api_keys import CreatedKey

DAY_NS = 86_400_000_000_000
DEMO = "accounts/servery/models/demo"
FAST = "accounts/servery/routers/demo-fast"
PRICE = Price(100_000, 50_000, 400_000)
CHARGE_NANODOLLARS = 60 * 100 + 40 * 50 + 10 * 400
"""Of each sample request: 100 prompt tokens of which 40 cached, and 10 generated."""


async def post_requests(
    database: Database,
    clock: Clock,
    key: CreatedKey,
    *,
    model: str = DEMO,
    count: int = 1,
    days_ago: int = 0,
    labels: tuple[tuple[str, str], ...] = (),
    hedge: HedgeOutcome | None = None,
) -> None:
    """Post ``count`` requests of the key's account that finished ``days_ago``, each of ``CHARGE_NANODOLLARS``."""
    path = ServingPath.FAST if model == FAST else ServingPath.STANDARD
    price_id = await PriceVersions(database, clock).record(model, path, PRICE)
    finished_ns = clock.wall_ns() - days_ago * DAY_NS
    for number in range(count):
        record = UsageRecord(
            request_id=f"chatcmpl-{key.api_key.key_id}-{path}-{days_ago}-{len(labels)}-{number}",
            account=key.api_key.account,
            key_id=key.api_key.key_id,
            model=model,
            serving_path=path,
            price_id=price_id,
            usage=Usage(100, 40, 10),
            outcome=Outcome.COMPLETED,
            started_ns=finished_ns,
            finished_ns=finished_ns,
            replica="shared-0",
            queue_wait_us=0,
            cost_labels=labels,
            hedge=hedge,
        )
        await Meter(database, clock).post(record, PRICE)


async def make_books(file: Path, clock: Clock) -> CreatedKey:
    """A database with the account ``acme``, its key, and three requests: two Standard, one Fast."""
    async with Database.open(file) as database:
        key = await create_key(database, clock, "acme", open_if_new=True)
        await post_requests(database, clock, key, count=2)
        await post_requests(database, clock, key, model=FAST)
    return key
