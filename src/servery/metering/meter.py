"""The meter: posts what each request used, with its charge, in one durable step."""

from collections.abc import Sequence

import msgspec

from servery.billing.charge_transfer import charge_transfer
from servery.billing.rating import Charge, rate
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer
from servery.metering.open_request import OpenRequest
from servery.metering.usage_record import UsageRecord
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class _Posting(msgspec.Struct, frozen=True):
    """A request that ended and is charged."""

    record: UsageRecord
    charge: Charge

    @property
    def facts(self) -> tuple[str, str, str, int, int, int, int]:
        """What two postings of one request must agree on, in the order of the query ``posted_usage``."""
        record, usage = self.record, self.record.usage
        return (
            record.request_id,
            record.account,
            record.price_id,
            usage.prompt_tokens,
            usage.cached_prompt_tokens,
            usage.generated_tokens,
            self.charge.nanodollars,
        )


class _Voiding(msgspec.Struct, frozen=True):
    """A request that ended and costs nothing."""

    request_id: str


_Event = OpenRequest | _Posting | _Voiding


class Meter:
    """From a request's end to the books. Usage record, transfer, balances and the closing of the journal's row are
    one group operation: either all of it is durable or nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.metering", "meter.sql")
        self._insert_record = queries["insert_usage_record"]
        self._posted_usage = queries["posted_usage"]
        self._insert_open = queries["insert_open_request"]
        self._delete_open = queries["delete_open_requests"]
        self._database = database
        self._clock = clock
        self._ledger = Ledger(database, clock)

    def opened(
        self, request_id: str, *, account: str, key_id: str, model: str, path: ServingPath, replica: str
    ) -> None:
        """Journal, without waiting, that an engine begins to work on the request. Every opened request is posted or
        voided; those that a killed platform leaves open are found by ``verify``.

        Raises Overloaded when the database cannot keep up: such a request should not begin.
        """
        opened = OpenRequest(
            request_id=request_id,
            account=account,
            key_id=key_id,
            model=model,
            serving_path=path,
            replica=replica,
            opened_ns=self._clock.wall_ns(),
        )
        self._database.write_grouped_soon(self._write, opened)

    async def post(self, record: UsageRecord, price: Price) -> Charge:
        """Rate and post. Once it returns, the charge is durable. ``price`` is the one that ``record.price_id`` names.

        Posting a request again changes nothing and returns the same charge. Raises AlreadyExists when it was posted
        with other tokens or another price, and what ``Database.write`` raises.
        """
        charge = rate(record.usage, price)
        await self._database.write_grouped(self._write, _Posting(record, charge))
        return charge

    def post_soon(self, record: UsageRecord, price: Price) -> None:
        """As ``post``, for requests whose client is gone: nobody waits. An orderly close of the database writes it;
        a failure goes to the database's ``on_lost_write``. Raises Overloaded as ``Database.write_soon`` does."""
        self._database.write_grouped_soon(self._write, _Posting(record, rate(record.usage, price)))

    def void(self, request_id: str) -> None:
        """The opened request ended before its first byte and costs nothing: take it off the journal, without waiting.
        Raises Overloaded as ``Database.write_soon`` does."""
        self._database.write_grouped_soon(self._write, _Voiding(request_id))

    def _write(self, connection: Connection, events: Sequence[_Event]) -> list[None]:
        """The group operation: whatever happened to many requests at once."""
        postings = [event for event in events if isinstance(event, _Posting)]
        ended = {posting.record.request_id for posting in postings}
        ended.update(event.request_id for event in events if isinstance(event, _Voiding))
        # A request that begins and ends within one group never needs its row in the journal.
        opened = [event for event in events if isinstance(event, OpenRequest) and event.request_id not in ended]
        if postings:
            self._post(connection, postings)
        if opened:
            connection.executemany(self._insert_open, [msgspec.structs.astuple(event) for event in opened])
        if ended:
            connection.execute(self._delete_open, {"request_ids": _json(list(ended))})
        return [None] * len(events)

    def _post(self, connection: Connection, postings: Sequence[_Posting]) -> None:
        ids = _json([posting.record.request_id for posting in postings])
        posted = {row[0]: row for row in connection.execute(self._posted_usage, {"request_ids": ids}).fetchall()}
        fresh: list[_Posting] = []
        for posting in postings:
            first = posted.get(posting.record.request_id)
            if first is None:
                posted[posting.record.request_id] = posting.facts
                fresh.append(posting)
            elif first != posting.facts:
                raise AlreadyExists(
                    f"The request {posting.record.request_id!r} was charged {first[-1]} nano-dollars for other facts; "
                    f"it cannot be charged {posting.charge.nanodollars}."
                )
        connection.executemany(self._insert_record, [_row(posting) for posting in fresh])
        self._ledger.append_within(connection, [_transfer(posting) for posting in fresh])


def _transfer(posting: _Posting) -> Transfer:
    record = posting.record
    return charge_transfer(
        posting.charge,
        request_id=record.request_id,
        account=record.account,
        model=record.model,
        path=record.serving_path,
        created_ns=record.finished_ns,
    )


def _row(posting: _Posting) -> tuple[str | int | None, ...]:
    """The values of the query ``insert_usage_record``."""
    record, usage = posting.record, posting.record.usage
    return (
        record.request_id,
        record.account,
        record.key_id,
        record.model,
        record.serving_path,
        record.price_id,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.generated_tokens,
        usage.reasoning_tokens,
        usage.estimated,
        record.outcome,
        record.started_ns,
        record.finished_ns,
        record.replica,
        record.queue_wait_us,
        record.time_to_first_token_us,
        _json(record.cost_labels),
        posting.charge.nanodollars,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
