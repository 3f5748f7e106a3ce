"""A process that posts requests until it is killed: ``python -m tests.crash.posting_process PLACE DIRECTORY RELEASE``.
With ``RELEASE`` ``spool`` postings return when they are in the spool, with ``database`` when they are in the database.

Each line that it prints is the id of a request whose posting has returned, and its charge. So whatever happens to the
process or to its database, each of these lines must be in the books, once, with that charge, after its next start.
"""

import asyncio
import itertools
import sys
import time
from pathlib import Path

from servery.billing.price_versions import PriceVersions
from servery.billing.spending import Spending
from servery.core.clock import SystemClock
from servery.core.errors import Overloaded
from servery.core.ids import RequestIds
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.feed import Feed
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.spool import Spool
from servery.metering.usage_record import UsageRecord
from servery.metering.usage_table import UsageTable
from servery.store.database import Database
from servery.store.limits import StoreLimits

MODEL = "accounts/servery/models/demo"
PRICE = Price(950_001, 475_003, 4_000_007)
CLIENTS = 50


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(place: str, directory: Path, release: str) -> None:
    clock, limits = SystemClock(), StoreLimits(stall_s=0.5, commit_timeout_s=20.0)
    database = Database.open(place if place.startswith("postgresql:") else Path(place), limits=limits)
    price_id = await PriceVersions(database, clock).record(MODEL, ServingPath.STANDARD, PRICE)
    spending = Spending(database, clock, writer=directory.name)
    spool = Spool.open(directory / "spool", most=100_000)
    feed = Feed(spool, database, UsageTable(spending))
    await feed.all()
    journal = Journal.open(directory / "journal")
    meter = Meter(database, clock, journal, spending, spool, spool_after_s=2.0 if release == "database" else 0.0)

    async def client(number: int) -> None:
        for turn in itertools.count():
            request_id = RequestIds().new()
            try:
                meter.opened(
                    request_id,
                    account=f"a{number % 7}",
                    key_id="k",
                    model=MODEL,
                    path=ServingPath.STANDARD,
                    replica="r",
                )
            except Overloaded:
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(0.002)
            now_ns = time.time_ns()
            record = UsageRecord(
                request_id=request_id,
                account=f"a{number % 7}",
                key_id="k",
                model=MODEL,
                serving_path=ServingPath.STANDARD,
                price_id=price_id,
                usage=Usage(100 + turn % 1_000, turn % 100, number),
                outcome=Outcome.COMPLETED,
                started_ns=now_ns,
                finished_ns=now_ns,
                replica="r",
                queue_wait_us=0,
            )
            charge = await meter.post(record, PRICE)
            say(f"{request_id} {charge.nanodollars}")

    say("ready")
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
