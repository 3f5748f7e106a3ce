"""The table of usage records: where postings become charges, with the balances that they move, in one transaction."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from servery.billing.charged import Charged
from servery.billing.spending import Spending
from servery.core.errors import AlreadyExists
from servery.metering.posting import ACCOUNT, FINISHED_NS, NANODOLLARS, OFTEN_ALIKE, REQUEST_ID, Posting, facts
from servery.metering.usage_balances import UsageBalances
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.sql import load_queries


class UsageTable:
    """Group operations (``store.GroupOperation``). Posting a request again changes nothing; both raise AlreadyExists
    when it was posted with other facts."""

    def __init__(self, spending: Spending) -> None:
        queries = load_queries("servery.metering", "usage_table.sql")
        self._insert = BulkInsert(queries["insert_usage_records"], alike=OFTEN_ALIKE)
        self._posted_usage = queries["posted_usage"]
        self._balances = UsageBalances()
        self._spending = spending

    def post(self, connection: Connection, postings: Sequence[Posting]) -> list[None]:
        """Each item is a posting."""
        self._post(connection, postings)
        return [None] * len(postings)

    def post_many(self, connection: Connection, batches: Sequence[Sequence[Posting]]) -> list[None]:
        """Each item is some postings, all or none of which are posted."""
        self._post(connection, itertools.chain.from_iterable(batches))
        return [None] * len(batches)

    def posted(self, connection: Connection, request_ids: Iterable[str]) -> dict[str, tuple[Any, ...]]:
        """What was posted of some requests, as ``posting.facts``, by request."""
        ids = msgspec.json.encode(list(request_ids)).decode()
        return {row[0]: tuple(row) for row in connection.execute(self._posted_usage, {"request_ids": ids}).fetchall()}

    def _post(self, connection: Connection, postings: Iterable[Posting]) -> None:
        fresh: dict[str, Posting] = {}
        for posting in postings:
            first = fresh.setdefault(posting[REQUEST_ID], posting)
            if first is not posting:
                _check_same(facts(first), posting)
        rows = list(fresh.values())
        last = self._balances.catch_up(connection)
        inserted = self._insert.run(connection, rows)
        charges = [Charged(one[REQUEST_ID], one[ACCOUNT], one[NANODOLLARS], one[FINISHED_NS]) for one in rows]
        carry_over = self._spending.begin_within(connection, charges)
        if inserted.rows == len(fresh):
            self._balances.follow(connection, rows, after=last)
            carry_over()
            return
        for request_id, before in self.posted(connection, fresh).items():
            _check_same(before, fresh[request_id])
        if inserted.rows > 0:  # which of them are new, whoever tries them apart finds out
            raise AlreadyExists("Some of these requests were posted before.")


def other_facts(first: tuple[Any, ...], posting: Posting) -> AlreadyExists:
    """What is to be said of a request that was charged for other facts than ``posting``'s."""
    return AlreadyExists(
        f"The request {first[0]!r} was charged {first[-1]} nano-dollars for other facts; "
        f"it cannot be charged {posting[NANODOLLARS]}."
    )


def _check_same(first: tuple[Any, ...], posting: Posting) -> None:
    """Raises AlreadyExists when a request was charged for other facts than ``posting``'s."""
    if first != facts(posting):
        raise other_facts(first, posting)
