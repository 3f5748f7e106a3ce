"""Receipts: what was kept of single requests, newest first."""

from typing import Final

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.core.hedge_outcome import HedgeOutcome
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.usage_rollup import HOUR_NS
from servery.store.connection import Connection
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

HOURS_AT_ONCE: Final = 48
"""How many hours with usage a page looks through at the most; a page may be shorter than was asked for."""

_FIRST_MONTH: Final = BillingMonth.of(0)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it was recorded, with the price it was charged by. ``sequence`` is its number in the records."""

    sequence: int
    request_id: str
    account: str
    key_id: str
    model: str
    asked_path: ServingPath
    serving_path: ServingPath
    price_id: str
    price: Price
    usage: Usage
    predicted_cached_prompt_tokens: int | None
    outcome: Outcome
    started_ns: int
    finished_ns: int
    replica: str
    queue_wait_us: int
    time_to_first_token_us: int | None
    cost_labels: tuple[tuple[str, str], ...]
    charge_nanodollars: int
    hedge: HedgeOutcome | None


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the list: just before the record of that moment and number."""

    finished_ns: int = 2**62
    sequence: int = 2**62


class ReceiptPage(msgspec.Struct, frozen=True):
    """``next`` None: there are no older ones."""

    receipts: list[Receipt]
    next: Position | None


class Receipts:
    """Methods run inside a snapshot of whoever calls them."""

    def __init__(self) -> None:
        queries = load_queries("servery.metering", "receipts.sql")
        self._by_id = queries["receipt"]
        self._tail = queries["receipts_of_tail"]
        self._hour = queries["receipts_of_hour"]
        self._hours = queries["hours_with_usage"]
        self._last_summed = queries["last_summed"]
        self._mark = Watermark("usage")

    def find(self, connection: Connection, account: str, request_id: str) -> Receipt | None:
        """The account's request of that id, if it was charged."""
        row = connection.execute(self._by_id, {"account": account, "request_id": request_id}).fetchone()
        return None if row is None else _receipt(row)

    def page(self, connection: Connection, account: str, *, before: Position, size: int) -> ReceiptPage:
        """The ``size`` requests before a place, or fewer where they lie far apart. The hourly sums tell in which hours
        to look; what is not in them yet is looked for by itself."""
        mark = self._mark.read(connection)
        values = {
            "account": account,
            "mark": mark,
            "before_ns": before.finished_ns,
            "before_sequence": before.sequence,
            "most": size + 1,
        }
        found = [_receipt(row) for row in connection.execute(self._tail, values).fetchall()]
        in_hours = 0
        reached_ns = 0
        for place, hour in enumerate(self._hours_before(connection, account, before, mark), start=1):
            period = {"since_ns": hour * HOUR_NS, "until_ns": (hour + 1) * HOUR_NS}
            rows = connection.execute(self._hour, {**values, **period}).fetchall()
            found += [_receipt(row) for row in rows]
            in_hours += len(rows)
            if in_hours > size or place == HOURS_AT_ONCE:
                reached_ns = hour * HOUR_NS
                break
        certain = sorted(
            (each for each in found if each.finished_ns >= reached_ns),
            key=lambda each: (each.finished_ns, each.sequence),
            reverse=True,
        )
        page = certain[:size]
        if len(certain) > size:
            return ReceiptPage(page, Position(page[-1].finished_ns, page[-1].sequence))
        return ReceiptPage(page, Position(reached_ns, 0) if reached_ns else None)

    def _hours_before(self, connection: Connection, account: str, before: Position, mark: int) -> list[int]:
        """The latest hours with usage, as many as are looked through at once: of the last two months, or where those
        have not so many, of all."""
        last = connection.execute(self._last_summed, {"mark": mark}).fetchone()
        if last is None:
            return []
        latest = BillingMonth.of(min(before.finished_ns, last[0]))
        found: list[int] = []
        for since in (BillingMonth(latest.number - 1), _FIRST_MONTH):
            chosen = {
                "account": account,
                "since_month": since.number,
                "since": since.start_ns // HOUR_NS,
                "until": before.finished_ns // HOUR_NS,
                "most": HOURS_AT_ONCE,
            }
            found = [hour for (hour,) in connection.execute(self._hours, chosen).fetchall()]
            if len(found) == HOURS_AT_ONCE:
                break
        return found


def _receipt(row: tuple[object, ...]) -> Receipt:
    facts = msgspec.convert(row, _Row)
    return Receipt(
        sequence=facts.sequence,
        request_id=facts.request_id,
        account=facts.account,
        key_id=facts.key_id,
        model=facts.model,
        asked_path=facts.asked_path or facts.serving_path,
        serving_path=facts.serving_path,
        price_id=facts.price_id,
        price=Price(facts.input_price, facts.cached_price, facts.output_price),
        usage=Usage(facts.prompt, facts.cached, facts.generated, facts.reasoning, estimated=bool(facts.estimated)),
        predicted_cached_prompt_tokens=facts.predicted_cached,
        outcome=facts.outcome,
        started_ns=facts.started_ns,
        finished_ns=facts.finished_ns,
        replica=facts.replica,
        queue_wait_us=facts.queue_wait_us,
        time_to_first_token_us=facts.time_to_first_token_us,
        cost_labels=msgspec.json.decode(facts.cost_labels, type=tuple[tuple[str, str], ...]),
        charge_nanodollars=facts.charge_nanodollars,
        hedge=facts.hedge,
    )


class _Row(msgspec.Struct, array_like=True):
    """The columns that all queries here have, in their order."""

    sequence: int
    request_id: str
    account: str
    key_id: str
    model: str
    asked_path: ServingPath | None
    serving_path: ServingPath
    price_id: str
    input_price: int
    cached_price: int
    output_price: int
    prompt: int
    cached: int
    generated: int
    reasoning: int
    estimated: bool | int
    predicted_cached: int | None
    outcome: Outcome
    started_ns: int
    finished_ns: int
    replica: str
    queue_wait_us: int
    time_to_first_token_us: int | None
    cost_labels: str
    charge_nanodollars: int
    hedge: HedgeOutcome | None
