"""What is lent of accounts' money, in the database: asked and answered in one transaction."""

from collections.abc import Sequence

import msgspec

from servery.billing.money_lending import MoneyAsk, MoneyLoan, lend
from servery.billing.spending import Spending
from servery.core.clock import Clock
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class MoneyBook:
    """Lends to the process that ``spending`` posts for, by the database's clock. What it raises is what
    ``Database.write`` raises. Accounts exist.

    ``kept_s``: how long what a gateway has borrowed is kept for it when nothing is heard of it.
    """

    def __init__(self, database: Database, clock: Clock, spending: Spending, *, kept_s: float) -> None:
        queries = load_queries("servery.billing", "lending.sql")
        self._now = queries["database_now"]
        self._hold = queries["hold_accounts"]
        self._save = queries["save_lease"]
        self._give_back = queries["give_back_leases"]
        self._database = database
        self._clock = clock
        self._spending = spending
        self._kept_ns = round(kept_s * 1_000_000_000)

    async def lend(self, ask: MoneyAsk) -> MoneyLoan:
        self._database.check_not_stalled()
        (loan,) = await self._database.write_grouped(self._lend, (ask,))
        return loan

    async def lend_all(self, asks: Sequence[MoneyAsk]) -> list[MoneyLoan]:
        """For each, in order; all in one transaction."""
        self._database.check_not_stalled()
        return await self._database.write_grouped(self._lend, tuple(asks))

    async def give_back(self, writers: Sequence[str]) -> None:
        """Processes that have ended need nothing any more. What has expired goes with it."""
        names = msgspec.json.encode(writers).decode()

        def operation(connection: Connection) -> None:
            (now_ns,) = connection.execute(self._now, {"now_ns": self._clock.wall_ns()}).fetchone()
            connection.execute(self._give_back, {"writers": names, "now_ns": now_ns})

        await self._database.write(operation)

    def _lend(self, connection: Connection, batches: Sequence[Sequence[MoneyAsk]]) -> list[list[MoneyLoan]]:
        """The group operation. A gateway asks for an account once at a time. Accounts are taken in one order by all
        gateways, so that none waits for another that waits for it."""
        asks = [ask for batch in batches for ask in batch]
        (now_ns,) = connection.execute(self._now, {"now_ns": self._clock.wall_ns()}).fetchone()
        accounts = msgspec.json.encode(sorted({ask.account for ask in asks})).decode()
        connection.execute(self._hold, {"accounts": accounts}).fetchall()
        loans: dict[str, MoneyLoan] = {}
        for month in sorted({ask.month for ask in asks}):
            chosen = {ask.account: ask for ask in asks if ask.month == month}
            standings = self._spending.standings_within(connection, list(chosen), month, now_ns=now_ns)
            for account, ask in chosen.items():
                loans[account] = lend(standings[account], ask)
        rows = [self._row(ask, loans[ask.account], now_ns) for ask in asks]
        connection.executemany(self._save, rows)
        return [[loans[ask.account] for ask in batch] for batch in batches]

    def _row(self, ask: MoneyAsk, loan: MoneyLoan, now_ns: int) -> dict[str, str | int]:
        return {
            "account": ask.account,
            "writer": self._spending.writer,
            "month": ask.month,
            "level": loan.level_nanodollars,
            "expires_ns": now_ns + self._kept_ns,
        }
