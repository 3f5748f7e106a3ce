"""Undoing a transfer: in the books, and in what is made of them."""

from servery.billing.ledger_names import (
    account_of_credit,
    account_of_receivable,
    credit_account,
    receivable_account,
)
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest, NotFound
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.account_revision import AccountRevision


class TransferReversal:
    """For the operator. A charge that is reversed is not owed any more; what the account has paid for it by credits
    comes back as credit. A credit that is reversed is taken back, also when it has been used: then it is owed.
    Transfers that follow from others (``credit_use``, ``credit_return``) are not reversed by themselves."""

    def __init__(self, database: Database, clock: Clock, *, spending: Spending, review: AccountReview) -> None:
        self._database = database
        self._clock = clock
        self._ledger = Ledger(database, clock)
        self._spending = spending
        self._review = review
        self._revision = AccountRevision()

    async def reverse(self, transfer_id: str) -> Transfer:
        """The transfer that undoes it. Reversing again changes nothing and returns the first reversal.

        Raises NotFound when there is no such transfer, and InvalidRequest when it cannot be reversed.
        """
        return await self._database.change(lambda connection: self._reverse(connection, transfer_id))

    async def account_of(self, transfer_id: str) -> str:
        """The account whose money the transfer has moved. Raises NotFound."""
        transfer = await self._database.look_up(lambda connection: self._required(connection, transfer_id))
        places = (transfer.debit_account, transfer.credit_account)
        owners = (account_of_receivable(place) or account_of_credit(place) for place in places)
        return next(filter(None, owners), "")

    def _reverse(self, connection: Connection, transfer_id: str) -> Transfer:
        self._revision.hold(connection)
        transfer = self._required(connection, transfer_id)
        first, sign = transfer, 1
        while first.reverses is not None:
            first, sign = self._required(connection, first.reverses), -sign
        reversal = transfer.reversal(created_ns=self._clock.wall_ns())
        done = self._ledger.posted_within(connection, [reversal.id]).get(reversal.id)
        if done is not None:
            return done
        match first.kind:
            case TransferKind.USAGE | TransferKind.GPU_TIME:
                account = first.debit_account.removeprefix(receivable_account(""))
                self._ledger.append_within(connection, [reversal])
                self._spending.reversed_within(
                    connection, account, sign * first.nanodollars, charged_ns=first.created_ns
                )
                self._return_credit(connection, account, reversal, charged_ns=first.created_ns)
            case TransferKind.CREDIT:
                account = first.credit_account.removeprefix(credit_account(""))
                self._ledger.append_within(connection, [reversal])
                self._spending.credit_added_within(
                    connection, account, -sign * first.nanodollars, wall_ns=reversal.created_ns
                )
            case _:
                raise InvalidRequest(
                    f"{transfer_id!r} follows from another transfer; reverse that one.", param="transfer"
                )
        self._revision.touch(connection, account)
        self._review.within(connection, account)
        return reversal

    def _return_credit(self, connection: Connection, account: str, reversal: Transfer, *, charged_ns: int) -> None:
        """Nobody is owed money in the account of what they owe: what is below zero there was paid by credits."""
        owed = self._ledger.balance_within(connection, receivable_account(account))
        if owed >= 0:
            return
        returned = Transfer(
            id=f"credit_return/{reversal.id}",
            debit_account=receivable_account(account),
            credit_account=credit_account(account),
            nanodollars=-owed,
            kind=TransferKind.CREDIT_RETURN,
            created_ns=reversal.created_ns,
        )
        self._ledger.append_within(connection, [returned])
        self._spending.credit_returned_within(connection, account, -owed, charged_ns=charged_ns)

    def _required(self, connection: Connection, transfer_id: str) -> Transfer:
        found = self._ledger.posted_within(connection, [transfer_id]).get(transfer_id)
        if found is None:
            raise NotFound(f"There is no transfer {transfer_id!r}.", param="transfer")
        return found
