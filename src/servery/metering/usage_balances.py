"""Balances follow the usage records in the transaction that posts them.

    usage records   1 ... mark     | mark + 1 ...
                    in the balances  what somebody has added besides: moved with the next group

PostgreSQL has a trigger that runs once a statement, and nothing is to be done here. SQLite's run once a row, for more
than the row costs; so there whoever posts moves the balances, by the sums of its group. The mark sees to it that what
was added by anybody else is moved as well, once.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from servery.billing.ledger_names import receivable_account, revenue_account
from servery.metering.posting import ACCOUNT, FINISHED_NS, MODEL, NANODOLLARS, SERVING_PATH, Posting
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.dialect import is_sqlite
from servery.store.sql import load_queries

_place: Final = itemgetter(ACCOUNT, MODEL, SERVING_PATH)
_nanodollars: Final = itemgetter(NANODOLLARS)


class UsageBalances:
    """Both methods are for the transaction in which a group is posted, one before and one after."""

    def __init__(self) -> None:
        queries = load_queries("servery.metering", "usage_balances.sql")
        self._moved_to = queries["balances_moved_to"]
        self._move = BulkInsert(queries["move_balances"])
        self._move_after = queries["move_balances_after"]
        self._mark = queries["mark_balances"]

    def catch_up(self, connection: Connection) -> int:
        """Move what was added past the mark; returns the number of the last record."""
        if not is_sqlite(connection):
            return 0
        moved_to, last = connection.execute(self._moved_to).fetchone()
        if moved_to < last:
            connection.execute(self._move_after, {"after": moved_to})
            connection.execute(self._mark, {"sequence": last})
        return int(last)

    def follow(self, connection: Connection, postings: Sequence[Posting], *, after: int) -> None:
        """Move what ``postings`` do, all of which are in the table now, and nothing else after the record ``after``."""
        if not postings or not is_sqlite(connection):
            return
        self._move.run(connection, _moves(postings))
        connection.execute(self._mark, {"sequence": after + len(postings)})


def _moves(postings: Sequence[Posting]) -> list[tuple[str, int, int]]:
    """What they move, by ledger account, each with a time at which that is opened where it is new."""
    sums: dict[Any, int] = {}
    for place, nanodollars in zip(map(_place, postings), map(_nanodollars, postings), strict=True):
        sums[place] = sums.get(place, 0) + nanodollars
    moved: dict[str, int] = {}
    for (account, model, path), nanodollars in sums.items():
        debited, credited = receivable_account(account), revenue_account(model, path)
        moved[debited] = moved.get(debited, 0) + nanodollars
        moved[credited] = moved.get(credited, 0) - nanodollars
    opened_ns = postings[0][FINISHED_NS]
    return [(name, moved[name], opened_ns) for name in moved]
