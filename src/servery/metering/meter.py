"""The meter: posts what each request used, with its charge, in one durable step."""

import asyncio
from functools import partial
from typing import Final

from servery.billing.charge import Charge
from servery.billing.rating import rate
from servery.billing.spending import OPERATOR, Spending
from servery.core.clock import Clock
from servery.core.errors import InternalError, Overloaded, ServeryError
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.metering.journal import Journal
from servery.metering.posting import REQUEST_ID, Posting, posting
from servery.metering.spool import Spool
from servery.metering.usage_record import UsageRecord
from servery.metering.usage_table import UsageTable
from servery.store.database import Database

_AWAY: Final = (Overloaded, InternalError)
"""What says that nothing was written, and nothing about what was to be written."""
_PATIENT_AFTER_NS: Final = 500_000_000
"""A request that has taken so long waits some milliseconds more, about a hundredth, to share the disk with others."""


class Meter:
    """From a request's end to the books: usage records, which are the transfers of their charges, and the balances
    they move. A charge is durable first of all in the spool, or in the database; ``Feed`` brings what is in the spool
    into the database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        journal: Journal | None = None,
        spending: Spending | None = None,
        spool: Spool | None = None,
        *,
        spool_after_s: float = 0.0,
    ) -> None:
        """``journal`` None: one in memory, which tells nobody what was cut. ``spending`` None: one of its own.
        ``spool`` None: all goes to the database, and while it is away requests end with an error. ``spool_after_s``:
        how long the end of a request waits for the database before its posting goes to the spool; 0: it goes there at
        once."""
        self._database = database
        self._wall_ns = clock.wall_ns
        self._journal = journal or Journal.in_memory()
        self._table = UsageTable(spending or Spending(database, clock, writer=OPERATOR))
        self._spool = spool
        self._spool_after_s = spool_after_s

    @property
    def can_keep(self) -> bool:
        """Whether what one more request uses could be written down at its end."""
        database, spool = self._database, self._spool
        if not database.is_in_place:
            return False
        if spool is not None and not spool.is_failing and spool.takes(self._journal.open_requests + 1):
            return True
        return not (database.is_stalled or database.is_failing)

    def opened(
        self, request_id: str, *, account: str, key_id: str, model: str, path: ServingPath, replica: str
    ) -> None:
        """Journal that an engine begins to work on the request. Every opened request is posted or voided; those that
        a killed platform leaves open are found by its next start, and told of by ``verify``.

        Raises Overloaded where neither the database answers nor the spool has room, or neither can be written: a
        request whose end could not be posted should not begin."""
        if not self.can_keep:
            raise Overloaded("Charges cannot be written down at present, please try again.", retry_after_s=1.0)
        self._journal.opened((request_id, account, key_id, model, path._value_, replica, self._wall_ns()))

    async def post(self, record: UsageRecord, price: Price) -> Charge:
        """Rate, then ``post_charge``. ``price`` is the one that ``record.price_id`` names."""
        charge = rate(record.usage, price)
        await self.post_charge(record, charge)
        return charge

    async def post_charge(self, record: UsageRecord, charge: Charge) -> None:
        """Post what was rated. Once it returns, the charge is durable: in the spool, on its way into the books, or in
        them.

        Posting a request again changes nothing. When it was posted with other tokens or
        another price, the first counts: where that is in the database and this would go there, AlreadyExists is raised;
        else ``verify`` tells of it. Raises what ``Database.write`` raises when nothing takes the charge.
        """
        row = posting(record, charge)
        spool = self._spool
        # Whoever is cancelled here posts once more, soon; until then the journal keeps the request.
        if spool is not None and self._spool_after_s == 0 and spool.takes(1):
            try:
                took_ns = record.finished_ns - record.started_ns
                await spool.keep(row, is_patient=took_ns >= _PATIENT_AFTER_NS)
            except _AWAY:  # its disk is full, or does not answer; the database's may
                pass
            else:
                self._journal.ended(record.request_id)
                return
        try:
            await self._write(row)
        except ServeryError:
            self._journal.ended(record.request_id)
            raise
        self._journal.ended(record.request_id)

    def post_soon(self, record: UsageRecord, price: Price) -> None:
        """As ``post``, for requests whose client is gone: nobody waits. An orderly close writes it; a failure goes to
        the database's ``on_lost_write``. Raises Overloaded as ``Database.write_soon`` does."""
        row = posting(record, rate(record.usage, price))
        wants_spool = self._spool_after_s == 0 or self._database.is_stalled
        if not (wants_spool and self._is_spooled(row)):
            self._write_soon(row, or_spool=True)

    def void(self, request_id: str) -> None:
        """The opened request ended before its first byte and costs nothing: take it off the journal."""
        self._journal.ended(request_id)

    async def _write(self, row: Posting) -> None:
        """To the database; to the spool where that is to take what the database does not."""
        spool = self._spool
        if spool is not None and self._spool_after_s > 0:
            await self._write_or_spool(row, spool)
            return
        if spool is not None:
            self._database.check_not_stalled()
        await self._database.write_grouped(self._table.post, row)

    async def _write_or_spool(self, row: Posting, spool: Spool) -> None:
        if not self._database.is_stalled:
            try:
                async with asyncio.timeout(self._spool_after_s):
                    await self._database.write_grouped(self._table.post, row)
            except (TimeoutError, *_AWAY):  # it may be written yet, which does no harm
                pass
            else:
                return
        await spool.keep(row)

    def _write_soon(self, row: Posting, *, or_spool: bool) -> None:
        self._database.write_grouped_soon(
            self._table.post,
            row,
            on_written=lambda: self._journal.ended(row[REQUEST_ID]),
            on_lost=lambda error: or_spool and isinstance(error, _AWAY) and self._is_spooled(row),
        )

    def _is_spooled(self, row: Posting) -> bool:
        """Whether the spool takes it; where it fails to keep it, the database is the last that can."""
        if self._spool is None or not self._spool.takes(1):
            return False
        try:
            kept = self._spool.keep(row)
        except _AWAY:
            return False
        kept.add_done_callback(partial(self._kept, row))
        return True

    def _kept(self, row: Posting, kept: asyncio.Future[None]) -> None:
        if kept.exception() is None:
            self._journal.ended(row[REQUEST_ID])
        else:
            self._write_soon(row, or_spool=False)
