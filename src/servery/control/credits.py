"""Credits: money that an account has before it spends it, given by the operator or by a code."""

import secrets
from collections.abc import Sequence

import msgspec

from servery.billing.ledger_names import GRANTS, credit_account
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, InvalidRequest
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.place_in_list import Age
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.api_keys import RandomBytes

MOST_NANODOLLARS = 10**18
"""A billion dollars: what adds up from less fits 64 bits."""


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """A credit that an account was given; ``id`` is its transfer's, ``code_id`` the code's that it came by."""

    id: str
    account: str
    code_id: str | None
    nanodollars: int
    description: str
    created_ns: int


class Credits:
    """A credit is a transfer from ``grants`` to ``credits/<account>``, which is a liability until it is used."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        spending: Spending,
        review: AccountReview,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        queries = load_queries("servery.control", "credits.sql")
        self._insert = queries["insert_credit"]
        self._of_account = queries["credits_of_account"]
        self._page = queries["page_of_credits"]
        self._count = queries["count_credits"]
        self._redeemed = queries["redemption_of_code"]
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes
        self._ledger = Ledger(database, clock)
        self._codes = CreditCodes(database, clock, random_bytes)
        self._spending = spending
        self._review = review
        self._revision = AccountRevision()

    async def grant(self, account: str, nanodollars: int, *, description: str = "") -> Credit:
        """Give a credit. Raises NotFound, and InvalidRequest for an amount that is none."""
        checked_amount(nanodollars)
        return await self._database.change(
            lambda connection: self._give(connection, account, nanodollars, description=description, code_id=None)
        )

    async def redeem(self, account: str, code: str) -> Credit:
        """Give what a code is worth, once to each account.

        Raises NotFound for a code that does not exist, PreconditionFailed when it is used up, expired or disabled, and
        AlreadyExists when the account has redeemed it before.
        """

        def operation(connection: Connection) -> Credit:
            self._revision.hold(connection)
            found = self._codes.redeemable(connection, code)
            if connection.execute(self._redeemed, {"account": account, "code_id": found.id}).fetchone() is not None:
                raise AlreadyExists("This account has redeemed the code before.", param="code")
            self._codes.use(connection, found)
            return self._give(connection, account, found.nanodollars, description=found.description, code_id=found.id)

        return await self._database.change(operation)

    async def list(self, account: str) -> list[Credit]:
        """All credits that the account was ever given, oldest first."""
        rows = await self._database.look_up(
            lambda connection: connection.execute(self._of_account, {"account": account}).fetchall()
        )
        return [_credit(row) for row in rows]

    async def page(self, account: str, after: Age, most: int) -> Sequence[Credit]:
        """So many of them that follow a place."""
        chosen = {"account": account, "after_ns": after[0], "after_id": after[1], "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._page, chosen).fetchall())
        return [_credit(row) for row in rows]

    async def count(self, account: str) -> int:
        """How many there are."""
        chosen = {"account": account}
        row = await self._database.look_up(lambda connection: connection.execute(self._count, chosen).fetchone())
        return int(row[0])

    def _give(
        self, connection: Connection, account: str, nanodollars: int, *, description: str, code_id: str | None
    ) -> Credit:
        now_ns = self._clock.wall_ns()
        self._review.within(connection, account)  # that it exists, before anything of it is quoted
        credit = Credit(
            id="credit/" + self._random_bytes(12).hex(),
            account=account,
            code_id=code_id,
            nanodollars=nanodollars,
            description=description,
            created_ns=now_ns,
        )
        transfer = Transfer(
            id=credit.id,
            debit_account=GRANTS,
            credit_account=credit_account(account),
            nanodollars=nanodollars,
            kind=TransferKind.CREDIT,
            created_ns=now_ns,
        )
        self._ledger.append_within(connection, [transfer])
        connection.execute(self._insert, msgspec.structs.asdict(credit))
        self._spending.credit_added_within(connection, account, nanodollars, wall_ns=now_ns)
        self._revision.touch(connection, account)
        self._review.within(connection, account)
        return credit


def checked_amount(nanodollars: int) -> int:
    """Raises InvalidRequest for nothing, less than nothing, and more than books can hold."""
    if not 0 < nanodollars <= MOST_NANODOLLARS:
        raise InvalidRequest("An amount is more than 0, and a billion dollars at most.", param="amount")
    return nanodollars


def _credit(row: tuple[str, str, str | None, int, str, int]) -> Credit:
    credit_id, account, code_id, nanodollars, description, created_ns = row
    return Credit(
        id=credit_id,
        account=account,
        code_id=code_id,
        nanodollars=nanodollars,
        description=description,
        created_ns=created_ns,
    )
