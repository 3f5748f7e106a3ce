"""The common buckets in the database: asked and answered in one transaction."""

from collections.abc import Sequence

import msgspec

from servery.core.clock import Clock
from servery.limits.adaptation import AdaptiveLimits
from servery.limits.limit_records import LimitRecord, LimitRecords
from servery.limits.rules import LimitRules
from servery.limits.shared_state import Ask, Loan, SharedState, lend
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

_state = msgspec.json.Decoder(SharedState)
_adaptive = msgspec.json.Decoder(AdaptiveLimits)


class Request(msgspec.Struct, frozen=True):
    """What a gateway asks for. ``model`` is empty for the account's requests."""

    account: str
    model: str
    ask: Ask


class LoanBook:
    """Lends by the database's clock. What it raises is what ``Database.write`` raises."""

    def __init__(self, database: Database, clock: Clock, rules: LimitRules) -> None:
        queries = load_queries("servery.limits", "lending.sql")
        self._now = queries["database_now"]
        self._get = queries["shared_limits"]
        self._open = queries["open_shared_limits"]
        self._save = queries["save_shared_limits"]
        self._recorded = queries["recorded_limits"]
        self._records = LimitRecords(database)
        self._database = database
        self._clock = clock
        self._rules = rules

    async def lend(self, request: Request) -> Loan:
        self._database.check_not_stalled()
        (loan,) = await self._database.write_grouped(self._lend, (request,))
        return loan

    async def lend_all(self, requests: Sequence[Request]) -> list[Loan]:
        """For each, in order; all in one transaction."""
        self._database.check_not_stalled()
        return await self._database.write_grouped(self._lend, tuple(requests))

    def _lend(self, connection: Connection, batches: Sequence[Sequence[Request]]) -> list[list[Loan]]:
        """The group operation. Rows are taken in one order by all gateways, so that none waits for another that waits
        for it."""
        (now_ns,) = connection.execute(self._now, {"now_ns": self._clock.wall_ns()}).fetchone()
        places = [(request, which, place) for which, batch in enumerate(batches) for place, request in enumerate(batch)]
        loans: dict[tuple[int, int], Loan] = {}
        for request, which, place in sorted(places, key=lambda one: (one[0].account, one[0].model)):
            loans[which, place] = self._lend_one(connection, request, now_ns)
        return [[loans[which, place] for place in range(len(batch))] for which, batch in enumerate(batches)]

    def _lend_one(self, connection: Connection, request: Request, now_ns: int) -> Loan:
        key = {"account": request.account, "model": request.model}
        row = connection.execute(self._get, key).fetchone()
        if row is None:
            connection.execute(self._open, key)
            row = connection.execute(self._get, key).fetchone()
        state = _state.decode(row[0]) if row[0] else None
        recorded = connection.execute(self._recorded, key).fetchone() if state is None else None
        before = None if recorded is None else _adaptive.decode(recorded[0])
        after, loan = lend(state, before, request.ask, now_ns=now_ns, rules=self._rules)
        connection.execute(self._save, {**key, "state": msgspec.json.encode(after).decode()})
        if request.model and (state is None or state.adaptive != after.adaptive):
            self._records.save_within(connection, [self._record(request, state, after, loan, now_ns)])
        return loan

    def _record(
        self, request: Request, before: SharedState | None, after: SharedState, loan: Loan, now_ns: int
    ) -> LimitRecord:
        changed = before is None or before.adaptive.token_limits != after.adaptive.token_limits
        return LimitRecord(
            account=request.account,
            model=request.model,
            state=after.adaptive,
            saved_ns=now_ns,
            changed=loan.limits if changed else None,
        )
