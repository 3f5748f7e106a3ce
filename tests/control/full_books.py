"""Books in which there is something of everything, for those who spoil them."""

from servery.billing.billing_month import BillingMonth
from servery.billing.gpu_posting import GpuPosting
from servery.billing.gpu_prices import GpuPrices
from servery.billing.gpu_time import GpuInterval, GpuRun
from servery.billing.money_book import MoneyBook
from servery.billing.money_lending import MoneyAsk
from servery.billing.price_changes import PriceChanges
from servery.billing.price_versions import PriceVersions
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.invoicing import Invoicing
from servery.control.open_account import create_key
from servery.control.reverse_transfer import TransferReversal
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database

NOVEMBER, DECEMBER = BillingMonth.parse("2026-11"), BillingMonth.parse("2026-12")
MODELS = ("accounts/servery/models/small", "accounts/servery/models/large")
PRICES = {
    ServingPath.STANDARD: Price(950_002, 475_004, 4_000_006),
    ServingPath.PRIORITY: Price(1_900_004, 950_008, 8_000_012),
    ServingPath.BATCH: Price(475_001, 237_502, 2_000_003),
}
PATHS = tuple(PRICES)
_HOUR_NS = 3_600 * 10**9


class FullBooks:
    """``fill`` once. Two accounts; November is closed, and one of its requests came late; of December some is summed
    and some not yet; credits were given, redeemed, used, taken back and returned; a replica was up; prices change."""

    def __init__(self, database: Database, clock: ManualClock, *, spending: Spending, review: AccountReview) -> None:
        self._database, self._clock = database, clock
        self._meter = Meter(database, clock, spending=spending)
        self._versions = PriceVersions(database, clock)
        self._spending = spending
        self._credits = Credits(database, clock, spending=spending, review=review)
        self._reversal = TransferReversal(database, clock, spending=spending, review=review)
        self._invoicing = Invoicing(database, clock)
        self._keys: dict[str, str] = {}
        self._posted = 0

    async def fill(self) -> None:
        for account in ("a", "b"):
            key = await create_key(self._database, self._clock, account, open_if_new=True)
            self._keys[account] = key.api_key.key_id
        await self._change_prices()
        taken_back = await self._give_credits()
        for number in range(4):
            await self._use(NOVEMBER, number)
        await self._rent(NOVEMBER)
        await self._invoicing.close(NOVEMBER)
        for number in range(3):
            await self._use(DECEMBER, number)
        await self._use(NOVEMBER, 4)  # late, so that it is billed in December
        for transfer in ("r5", taken_back, "gpu/run-2026-11/60"):
            await self._reversal.reverse(transfer)
        await self._invoicing.catch_up()
        await self._use(DECEMBER, 3)  # not in the sums yet
        ask = MoneyAsk(account="a", month=DECEMBER.number, kept_to=0, least_to=1, need_to=10**9, want_to=10**9)
        await MoneyBook(self._database, self._clock, self._spending, kept_s=300.0).lend(ask)

    async def _change_prices(self) -> None:
        changes, now_ns = PriceChanges(self._database, self._clock), self._clock.wall_ns()
        for days, amount in ((10, 800_000), (20, 700_000), (30, 600_000)):
            price = Price(amount, amount // 2, 4 * amount)
            await changes.add(MODELS[0], ServingPath.STANDARD, price, from_ns=now_ns + days * 24 * _HOUR_NS)

    async def _give_credits(self) -> str:
        """Some to each; returns the id of one that can be taken back."""
        code = await CreditCodes(self._database, self._clock).create(5_000_000, redemptions_max=3)
        await self._credits.redeem("b", code.code)
        await self._credits.grant("a", 2_000_000)
        return (await self._credits.grant("b", 1_000_000)).id

    async def _use(self, month: BillingMonth, number: int) -> None:
        self._posted += 1
        account, model, path = "ab"[number % 2], MODELS[number // 2 % 2], PATHS[number % 3]
        moment_ns = month.start_ns + 10**15 + number * _HOUR_NS
        record = UsageRecord(
            request_id=f"r{self._posted}",
            account=account,
            key_id=self._keys[account],
            model=model,
            serving_path=path,
            price_id=await self._versions.record(model, path, PRICES[path]),
            usage=Usage(1_000 + number, 100 + number, 37 + number, 5),
            outcome=Outcome.COMPLETED,
            started_ns=moment_ns,
            finished_ns=moment_ns,
            replica="replica-1",
            queue_wait_us=0,
            cost_labels=(("team", "search"),) if number % 2 else (),
        )
        await self._meter.post(record, PRICES[path])

    async def _rent(self, month: BillingMonth) -> None:
        run = GpuRun(
            id=f"run-{month}",
            account="a",
            deployment="accounts/a/deployments/d",
            accelerator_type="h100",
            accelerators=2,
            started_ns=month.start_ns + 5,
        )
        price = await GpuPrices(self._database, self._clock).record("h100", 8_000_000)
        intervals = [GpuInterval(0, 60), GpuInterval(60, 120), GpuInterval(120, 150)]
        await GpuPosting(self._database, self._clock).post(run, intervals, price)
