"""Posting GPU time: what running platforms learn of it."""

from servery.billing.gpu_posting import GpuPosting
from servery.billing.gpu_prices import GpuPrices
from servery.billing.gpu_time import GpuInterval, GpuRun
from servery.core.clock import ManualClock
from servery.store.database import Database
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.accounts import Accounts


async def test_whose_gpu_time_is_posted_is_read_anew(database: Database, clock: ManualClock) -> None:
    """By whoever holds the account's budget, for no request of its own tells; once, however often it is posted."""
    await Accounts(database, clock).open("acme")
    await Accounts(database, clock).open("beta")
    revision = AccountRevision()
    seen, _ = revision.changes(database.reader, since=0)
    price = await GpuPrices(database, clock).record("h100", 8_000_000)
    run = GpuRun(
        id="run-1", account="acme", deployment="d", accelerator_type="h100", accelerators=2, started_ns=clock.wall_ns()
    )
    posting = GpuPosting(database, clock)
    await posting.post(run, [GpuInterval(0, 60)], price)
    since, accounts = revision.changes(database.reader, since=seen)
    assert accounts == ["acme"]
    await posting.post(run, [GpuInterval(0, 60)], price)
    assert revision.changes(database.reader, since=since) == (since, [])
