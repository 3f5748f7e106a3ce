"""The ledger: posting transfers, and what they add up to."""

from collections.abc import Sequence

import msgspec

from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, NotFound
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class Ledger:
    """Double entry. Transfers are only ever added; balances are a projection that is kept in the same transactions.

    Transfers of usage are not posted here: a usage record is the transfer of its charge, and ``metering`` writes it.
    Here they can be looked up and reversed like any other. A ledger account is opened by the first transfer that names
    it, or explicitly. Methods that take a connection run inside the transaction of whoever calls them.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.ledger", "ledger.sql")
        self._open = queries["open_ledger_account"]
        self._by_ids = queries["transfers_by_ids"]
        self._insert = BulkInsert(queries["insert_transfer"])
        self._balance = queries["balance"]
        self._balances = queries["balances"]
        self._clear_balances = queries["clear_balances"]
        self._project_balances = queries["project_balances"]
        self._mark_balances = queries["mark_balances"]
        self._database = database
        self._clock = clock

    async def post(self, transfer: Transfer) -> Transfer:
        """Post, and return what stands in the books: the transfer, or the first one posted under its id.

        Raises AlreadyExists when the first one says something else.
        """
        return await self._database.write_grouped(self.post_within, transfer)

    async def reverse(self, transfer_id: str) -> Transfer:
        """Undo a transfer by a second one. Reversing again changes nothing and returns the first reversal.

        Raises NotFound when there is no such transfer. A reversal can be reversed like any other transfer.
        """
        created_ns = self._clock.wall_ns()

        def operation(connection: Connection) -> Transfer:
            found = self.posted_within(connection, [transfer_id])
            if not found:
                raise NotFound(f"There is no transfer {transfer_id!r}.")
            (posted,) = self.post_within(connection, [found[transfer_id].reversal(created_ns=created_ns)])
            return posted

        return await self._database.write(operation)

    def post_within(self, connection: Connection, transfers: Sequence[Transfer]) -> list[Transfer]:
        """As ``post``, for many at once and inside a transaction; all or nothing."""
        posted = self.posted_within(connection, [transfer.id for transfer in transfers])
        fresh: list[Transfer] = []
        for transfer in transfers:
            first = posted.get(transfer.id)
            if first is None:
                posted[transfer.id] = transfer
                fresh.append(transfer)
            elif not first.says_the_same_as(transfer):
                raise AlreadyExists(
                    f"The transfer {transfer.id!r} was posted with {first.nanodollars} nano-dollars from "
                    f"{first.credit_account!r} to {first.debit_account!r}; it cannot become {transfer.nanodollars} "
                    f"from {transfer.credit_account!r} to {transfer.debit_account!r}."
                )
        self.append_within(connection, fresh)
        return [posted[transfer.id] for transfer in transfers]

    def append_within(self, connection: Connection, transfers: Sequence[Transfer]) -> None:
        """Post transfers that the caller knows to be new. The database refuses when one of them is not."""
        assert all(transfer.kind is not TransferKind.USAGE for transfer in transfers), "the meter posts usage"
        self._insert.run(connection, [msgspec.structs.astuple(transfer) for transfer in transfers])

    def open_within(self, connection: Connection, name: str) -> None:
        """Open a ledger account with a balance of zero, unless it is open."""
        connection.execute(self._open, {"name": name, "opened_ns": self._clock.wall_ns()})

    def balance_nanodollars(self, ledger_account: str) -> int:
        """Debits less credits; 0 for a ledger account that nothing was posted to."""
        return self.balance_within(self._database.reader, ledger_account)

    def balance_within(self, connection: Connection, ledger_account: str) -> int:
        """The same, as ``connection`` sees it."""
        row = connection.execute(self._balance, {"ledger_account": ledger_account}).fetchone()
        return 0 if row is None else int(row[0])

    def balances_nanodollars(self) -> dict[str, int]:
        """Debits less credits of every ledger account, by its name. They sum to zero."""
        return self.balances_within(self._database.reader)

    def balances_within(self, connection: Connection) -> dict[str, int]:
        """As ``balances_nanodollars``, as ``connection`` sees it."""
        return dict(connection.execute(self._balances).fetchall())

    def rebuild_balances_within(self, connection: Connection) -> None:
        """Compute the projection anew from all transfers, in a transaction in which nobody else posts. Takes time in
        proportion to them."""
        connection.execute(self._clear_balances)
        connection.execute(self._project_balances)
        connection.execute(self._mark_balances)

    def posted_within(self, connection: Connection, ids: Sequence[str]) -> dict[str, Transfer]:
        """Those of ``ids`` that are posted, whatever their kind."""
        rows = connection.execute(self._by_ids, {"ids": msgspec.json.encode(ids).decode()}).fetchall()
        return {row[0]: transfer_of_row(row) for row in rows}


def transfer_of_row(row: tuple[str, str, str, int, str, int, str | None]) -> Transfer:
    """From the columns of the view ``transfers``, in its order."""
    transfer_id, debit_account, credit_account, nanodollars, kind, created_ns, reverses = row
    return Transfer(
        id=transfer_id,
        debit_account=debit_account,
        credit_account=credit_account,
        nanodollars=nanodollars,
        kind=TransferKind(kind),
        created_ns=created_ns,
        reverses=reverses,
    )
