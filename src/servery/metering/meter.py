"""The meter: posts what each request used, with its charge, in one durable step."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from servery.billing.charge import Charge
from servery.billing.rating import rate
from servery.billing.spending import OPERATOR, Charged, Spending
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, InternalError, Overloaded, ServeryError
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.metering.journal import Journal
from servery.metering.open_request import OpenRequest
from servery.metering.posting import Posting
from servery.metering.spool import Spool
from servery.metering.usage_record import UsageRecord
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

_FORWARDED_AT_ONCE: Final = 1_000
_AWAY: Final = (Overloaded, InternalError)
"""What says that nothing was written, and nothing about what was to be written."""


class Meter:
    """From a request's end to the books: usage records, which are the transfers of their charges, and the balances
    they move, in one group operation. Either all of it is durable or nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        journal: Journal | None = None,
        spending: Spending | None = None,
        spool: Spool | None = None,
        *,
        spool_after_s: float = 2.0,
    ) -> None:
        """``journal`` None: one in memory, which tells nobody what was cut. ``spending`` None: one of its own.
        ``spool`` None: while the database is away, requests end with an error; else they wait for it so long."""
        queries = load_queries("servery.metering", "meter.sql")
        self._insert = BulkInsert(queries["insert_usage_records"])
        self._posted_usage = queries["posted_usage"]
        self._database = database
        self._clock = clock
        self._journal = journal or Journal.in_memory()
        self._spending = spending or Spending(database, clock, writer=OPERATOR)
        self._spool = spool
        self._spool_after_s = spool_after_s

    def opened(
        self, request_id: str, *, account: str, key_id: str, model: str, path: ServingPath, replica: str
    ) -> None:
        """Journal that an engine begins to work on the request. Every opened request is posted or voided; those that
        a killed platform leaves open are found by its next start, and told of by ``verify``.

        Raises Overloaded while the database is away and the spool has no room: a request whose end could not be posted
        should not begin."""
        if self._spool is None or self._spool.room <= self._journal.open_requests:
            self._database.check_not_stalled()
        self._journal.opened(
            OpenRequest(
                request_id=request_id,
                account=account,
                key_id=key_id,
                model=model,
                serving_path=path,
                replica=replica,
                opened_ns=self._clock.wall_ns(),
            )
        )

    async def post(self, record: UsageRecord, price: Price) -> Charge:
        """Rate and post. Once it returns, the charge is durable: in the books, or in the spool while they are away.
        ``price`` is the one that ``record.price_id`` names.

        Posting a request again changes nothing and returns the same charge. Raises AlreadyExists when it was posted
        with other tokens or another price, and what ``Database.write`` raises.
        """
        charge = rate(record.usage, price)
        try:
            await self._make_durable(Posting(record, charge))
        except ServeryError:
            self._journal.ended(record.request_id)
            raise
        # Whoever is cancelled here posts once more, soon; until then the journal keeps the request.
        self._journal.ended(record.request_id)
        return charge

    def post_soon(self, record: UsageRecord, price: Price) -> None:
        """As ``post``, for requests whose client is gone: nobody waits. An orderly close of the database writes it, or
        hands it to the spool; a failure goes to the database's ``on_lost_write``. Raises Overloaded as
        ``Database.write_soon`` does."""
        posting = Posting(record, rate(record.usage, price))
        if self._spool is not None and self._database.is_stalled:
            self._spool_soon(posting, self._spool)
            return
        self._database.write_grouped_soon(
            self._write,
            posting,
            on_written=lambda: self._journal.ended(record.request_id),
            on_lost=lambda error: self._is_spooled(error, posting),
        )

    def void(self, request_id: str) -> None:
        """The opened request ended before its first byte and costs nothing: take it off the journal."""
        self._journal.ended(request_id)

    async def forward(self, spool: Spool | None = None) -> None:
        """Bring what is in the spool (None: this meter's) into the books, oldest first. Raises Overloaded when they are
        away again. What they do not take stays, and is told of by ``verify``."""
        spool = spool or self._spool
        while spool is not None and (batch := await spool.oldest(_FORWARDED_AT_ONCE)):
            self._database.check_not_stalled()
            outcomes = await asyncio.gather(
                *(self._database.write_grouped(self._write, posting) for _, posting in batch), return_exceptions=True
            )
            away: ServeryError | None = None
            posted = []
            for (sequence, _), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, _AWAY):
                    away = outcome
                elif isinstance(outcome, Exception):
                    await spool.refuse(sequence, str(outcome))
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    posted.append(sequence)
            await spool.remove(posted)
            if away is not None:
                raise away

    async def _make_durable(self, posting: Posting) -> None:
        if self._spool is None:
            await self._database.write_grouped(self._write, posting)
            return
        if not self._database.is_stalled:
            try:
                async with asyncio.timeout(self._spool_after_s):
                    await self._database.write_grouped(self._write, posting)
            except (TimeoutError, *_AWAY):  # it may be written yet, which does no harm
                pass
            else:
                return
        await self._spool.keep(posting)

    def _is_spooled(self, error: Exception, posting: Posting) -> bool:
        if self._spool is None or not isinstance(error, _AWAY) or self._spool.room <= 0:
            return False
        self._spool_soon(posting, self._spool)
        return True

    def _spool_soon(self, posting: Posting, spool: Spool) -> None:
        spool.keep_soon(posting)
        self._journal.ended(posting.record.request_id)

    def _write(self, connection: Connection, postings: Sequence[Posting]) -> list[None]:
        """The group operation: the charges of many requests at once."""
        fresh: dict[str, Posting] = {}
        for posting in postings:
            first = fresh.setdefault(posting.record.request_id, posting)
            if first is not posting:
                _check_same(first.facts, posting)
        inserted = self._insert.run(connection, [_row(posting) for posting in fresh.values()])
        carry_over = self._spending.begin_within(connection, [_charged(posting) for posting in fresh.values()])
        if inserted.rows == len(fresh):
            carry_over()
            return [None] * len(postings)
        ids = _json(list(fresh))
        for facts in connection.execute(self._posted_usage, {"request_ids": ids}).fetchall():
            _check_same(facts, fresh[facts[0]])
        if inserted.rows > 0:  # which of them are new, the store finds out by trying them one by one
            raise AlreadyExists("Some of these requests were posted before.")
        return [None] * len(postings)


def _charged(posting: Posting) -> Charged:
    record = posting.record
    return Charged(record.request_id, record.account, posting.charge.nanodollars, record.finished_ns)


def _check_same(first: tuple[Any, ...], posting: Posting) -> None:
    """Raises AlreadyExists when a request was charged for other ``facts`` than ``posting``'s."""
    if first != posting.facts:
        raise AlreadyExists(
            f"The request {first[0]!r} was charged {first[-1]} nano-dollars for other facts; "
            f"it cannot be charged {posting.charge.nanodollars}."
        )


def _row(posting: Posting) -> tuple[str | int | None, ...]:
    """The values of the query ``insert_usage_records``, all of them exactly ``str`` or ``int``: for anything else,
    members of enumerations included, sqlite3 first looks for an adapter, at several times the cost of the value."""
    record, usage, asked_path = posting.record, posting.record.usage, posting.record.asked_path
    return (
        record.request_id,
        record.account,
        record.key_id,
        record.model,
        f"{record.serving_path}",
        record.price_id,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.generated_tokens,
        usage.reasoning_tokens,
        int(usage.estimated),
        f"{record.outcome}",
        record.started_ns,
        record.finished_ns,
        record.replica,
        record.queue_wait_us,
        record.time_to_first_token_us,
        _json(record.cost_labels) if record.cost_labels else "[]",
        posting.charge.nanodollars,
        None if asked_path is None else f"{asked_path}",
        record.predicted_cached_prompt_tokens,
        None if record.hedge is None else f"{record.hedge}",
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
