"""What accounts spend in each month, and how credits pay for it: kept in the transactions that post charges."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.charged import Charged
from servery.billing.ledger_names import account_of_credit, credit_account, receivable_account
from servery.billing.spend_tiers import USUAL_TIERS, SpendTiers
from servery.billing.standing import NEAR_LIMIT_PERCENT, Standing
from servery.core.clock import Clock
from servery.core.money import NANODOLLARS_PER_DOLLAR
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

OPERATOR: Final = ""
"""The writer of what is not posted by a process that serves."""


class _Month:
    """What a group of charges adds to one account's month."""

    __slots__ = ("account", "charged", "charged_ns", "credit_used", "first_id", "month")

    def __init__(self, account: str, month: int, first: Charged) -> None:
        self.account = account
        self.month = month
        self.first_id = first.id
        self.charged_ns = first.charged_ns
        self.charged = 0
        self.credit_used = 0


class Spending:
    """The projection ``spending_months``, and the transfers that use credits up.

    The order in which money is used: every charge is paid from the account's credits as far as they reach, in the
    transaction that posts it; only what is beyond them is owed, and counts towards the budget of the account's tier.
    ``writer`` names the process, so that it can tell its own charges from those of others.
    """

    def __init__(self, database: Database, clock: Clock, *, writer: str, tiers: SpendTiers = USUAL_TIERS) -> None:
        queries = load_queries("servery.billing", "spending.sql")
        self._add = BulkInsert(queries["add_spending"])
        self._credits_left = queries["credits_left"]
        self._standings = queries["standings"]
        self._database = database
        self._ledger = Ledger(database, clock)
        self._clock = clock
        self._writer = writer
        self._tiers = tiers
        self._known_month = BillingMonth.of(clock.wall_ns())
        self._known_from_ns, self._known_to_ns = self._known_month.start_ns, self._known_month.end_ns

    @property
    def writer(self) -> str:
        return self._writer

    def charged_within(self, connection: Connection, charges: Iterable[Charged]) -> None:
        """In the transaction that posts ``charges``, each for the first time: count them, and let credits pay."""
        self.begin_within(connection, charges)()

    def begin_within(self, connection: Connection, charges: Iterable[Charged]) -> Callable[[], None]:
        """The first half of ``charged_within``: ask for the credits that are left. What is returned does the rest, so
        that whoever posts can wait for both answers at once."""
        by_month: dict[int, dict[str, _Month]] = {}
        number = -1
        of_month: dict[str, _Month] = {}  # of the month ``number``: nearly all charges of a group are of one
        for charge in charges:
            charged_in = self._month(charge.charged_ns)
            if charged_in != number:
                number, of_month = charged_in, by_month.setdefault(charged_in, {})
            month = of_month.get(charge.account)
            if month is None:
                month = of_month[charge.account] = _Month(charge.account, number, charge)
            month.charged += charge.nanodollars
        ordered = [month for number in sorted(by_month) for month in by_month[number].values()]
        ordered.sort(key=_account)  # each account's oldest month stays first; and whoever posts locks in this order
        names = {"names": msgspec.json.encode([credit_account(each.account) for each in ordered]).decode()}
        asked = connection.execute(self._credits_left, names)

        def carry() -> None:
            left: dict[str, int] = {}
            for name, nanodollars in asked.fetchall():
                if (account := account_of_credit(name)) is not None:
                    left[account] = nanodollars
            if left:
                self._use_credits(connection, ordered, left)
            writer = self._writer
            rows = [(each.account, each.month, writer, each.charged, each.credit_used, 0, 0) for each in ordered]
            self._add.run(connection, rows)

        return carry

    def credit_added_within(self, connection: Connection, account: str, nanodollars: int, *, wall_ns: int) -> None:
        """In the transaction that gives (or with a negative number takes back) a credit."""
        month = BillingMonth.of(wall_ns).number
        self._add.run(connection, [(account, month, OPERATOR, 0, 0, nanodollars, 0)])

    def reversed_within(self, connection: Connection, account: str, nanodollars: int, *, charged_ns: int) -> None:
        """In the transaction that gives back (or with a negative number takes again) a charge of ``charged_ns``."""
        month = BillingMonth.of(charged_ns).number
        self._add.run(connection, [(account, month, OPERATOR, 0, 0, 0, nanodollars)])

    def credit_returned_within(
        self, connection: Connection, account: str, nanodollars: int, *, charged_ns: int
    ) -> None:
        """In the transaction that gives back credits that had paid for a charge of ``charged_ns``."""
        month = BillingMonth.of(charged_ns).number
        self._add.run(connection, [(account, month, OPERATOR, 0, -nanodollars, 0, 0)])

    def corrected_within(
        self,
        connection: Connection,
        account: str,
        month: BillingMonth,
        *,
        charged: int,
        credit_used: int,
        credit_added: int,
        reversed_: int,
    ) -> None:
        """In a transaction: carry over what was found to be missing (or with negative numbers too much) in a month."""
        self._add.run(connection, [(account, month.number, OPERATOR, charged, credit_used, credit_added, reversed_)])

    async def read(self, accounts: Sequence[str], month: int) -> Mapping[str, Standing]:
        """The standings of those accounts that exist, all of one moment."""
        return await self._database.look_up(lambda connection: self.standings_within(connection, accounts, month))

    def standings_within(
        self, connection: Connection, accounts: Sequence[str], month: int, *, now_ns: int | None = None
    ) -> dict[str, Standing]:
        """As ``read``, inside a transaction. ``now_ns``: by what others have borrowed expires; None: by this clock."""
        chosen = {
            "accounts": msgspec.json.encode(accounts).decode(),
            "month": month,
            "writer": self._writer,
            "now_ns": self._clock.wall_ns() if now_ns is None else now_ns,
        }
        rows = connection.execute(self._standings, chosen).fetchall()
        return {row[0]: self._standing(month, row) for row in rows}

    def _use_credits(self, connection: Connection, months: Sequence[_Month], left: dict[str, int]) -> None:
        transfers = []
        for month in months:
            month.credit_used = min(month.charged, left.get(month.account, 0))
            if month.credit_used > 0:
                left[month.account] -= month.credit_used
                transfers.append(
                    Transfer(
                        id=f"credit_use/{month.first_id}",
                        debit_account=credit_account(month.account),
                        credit_account=receivable_account(month.account),
                        nanodollars=month.credit_used,
                        kind=TransferKind.CREDIT_USE,
                        created_ns=month.charged_ns,
                    )
                )
        self._ledger.append_within(connection, transfers)

    def _month(self, wall_ns: int) -> int:
        if not self._known_from_ns <= wall_ns < self._known_to_ns:
            self._known_month = month = BillingMonth.of(wall_ns)
            self._known_from_ns, self._known_to_ns = month.start_ns, month.end_ns
        return self._known_month.number

    def _standing(
        self, month: int, row: tuple[str, int, int, int | None, str, int, int, int, int, int, int, int]
    ) -> Standing:
        account, tier, prepaid, own_dollars, thresholds, left, charged, here, used, given_back, qualifying, lent = row
        standing = Standing(
            account=account,
            month=month,
            owed_limit_nanodollars=0 if prepaid else self._tiers.budget_nanodollars(tier),
            own_limit_nanodollars=None if own_dollars is None else own_dollars * NANODOLLARS_PER_DOLLAR,
            prepaid=bool(prepaid),
            credits_nanodollars=left + used,
            credit_used_nanodollars=used,
            charged_nanodollars=charged,
            charged_here_nanodollars=here,
            reversed_nanodollars=given_back,
            qualifying_nanodollars=qualifying,
            lent_elsewhere_nanodollars=lent,
        )
        prepaid_for = standing.credits_nanodollars
        near = standing.limit_nanodollars * NEAR_LIMIT_PERCENT // 100
        alerts = [near, *msgspec.json.decode(thresholds, type=list[int])]
        if prepaid_for > 0:
            alerts += [prepaid_for * NEAR_LIMIT_PERCENT // 100, prepaid_for]
        next_tier = self._tiers.next_threshold_nanodollars(tier)
        if next_tier is not None:
            alerts.append(standing.spent_nanodollars + next_tier - qualifying)
        return msgspec.structs.replace(standing, alerts_nanodollars=tuple(alerts))


def _account(month: _Month) -> str:
    return month.account
