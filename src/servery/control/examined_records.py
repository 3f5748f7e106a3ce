"""One pass over all usage records: is each charge what its tokens cost, and what do the records add up to?

The database compares charges with tokens x prices, in whole numbers, and adds up by hours; only records that do not
agree, or are too large for 64 bits, are looked at one by one. A charge of n nano-dollars is p pico-dollars rounded half
to even exactly if |p - 1000 n| < 500, or = 500 and n is even.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.ledger_names import receivable_account, revenue_account
from servery.billing.price_versions import PriceVersion
from servery.billing.rating import rate
from servery.control.billed_usage import HOUR_NS, BilledUsage
from servery.control.books_report import Finding, FindingKind
from servery.control.record_sums import RecordSums, RollupCheck
from servery.control.spending_projection import ChargedHour
from servery.core.usage import Usage
from servery.store.connection import Connection
from servery.store.sql import load_queries

_FIRST_OF_ALL: Final = -(2**63)
_STEP_RECORDS: Final = 20_000
"""So few that the database sorts them in memory; more are slower, not faster."""


class _Evidence(msgspec.Struct, frozen=True):
    """A row of the query ``doubtful_records``."""

    request_id: str
    account: str
    sequence: int
    finished_ns: int
    model: str
    serving_path: str
    price_id: str
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    reasoning_tokens: int
    charge_nanodollars: int

    @property
    def contradicts_itself(self) -> bool:
        return not (
            0 <= self.cached_prompt_tokens <= self.prompt_tokens and 0 <= self.reasoning_tokens <= self.generated_tokens
        )

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.cached_prompt_tokens, self.generated_tokens, self.reasoning_tokens)


class ExaminedRecords:
    """What the records add up to, known once all ``findings`` have been taken.

    ``prices`` are those that nobody has altered, ``altered`` the ids of the others; what is on invoices is added to
    ``billed`` as it is rated anew. All other sums are of the charges that stand there.
    """

    def __init__(
        self,
        connection: Connection,
        prices: Mapping[str, PriceVersion],
        billed: BilledUsage,
        *,
        altered: Sequence[str],
        marks: Sequence[tuple[BillingMonth, int]],
        rolled_up: int,
    ) -> None:
        sql = load_queries("servery.control", "examined_records.sql")
        self._first, self._sums_of_records = sql["first_record_from"], sql["sums_of_records"]
        self._doubtful = sql["doubtful_records"]
        self._connection = connection
        self._prices = prices
        self._altered = msgspec.json.encode(altered).decode()
        self._billed = billed
        self._rolled_up = rolled_up
        self._stops = sorted({rolled_up, *(sequence for _, sequence in marks)})
        self._charged: dict[tuple[str, int], int] = {}
        self._earned: dict[tuple[str, str], int] = {}
        self.rollups = RollupCheck(connection)
        self.keys: set[tuple[str, str]] = set()
        """Each account with the keys that were used for it."""
        self.usage_records = 0
        self.charged_nanodollars = 0

    def findings(self) -> Iterator[Finding]:
        """Step by step; a step lies on one side of each mark, so that all of it belongs to the same months."""
        start = _FIRST_OF_ALL
        while True:
            (first,) = self._connection.execute(self._first, {"first": start}).fetchone()
            if first is None:
                return
            until = first + _STEP_RECORDS - 1
            until = min([until, *(stop for stop in self._stops if stop >= first)])
            yield from self._step({"after": first - 1, "until": until})
            start = until + 1

    def charged_hours(self) -> Iterator[ChargedHour]:
        """What accounts were charged, hour by hour."""
        return ((account, hour, nanodollars) for (account, hour), nanodollars in self._charged.items())

    def balances(self) -> dict[str, int]:
        """What the charges come to in each ledger account."""
        sums: dict[str, int] = {}
        for (account, _), nanodollars in self._charged.items():
            name = receivable_account(account)
            sums[name] = sums.get(name, 0) + nanodollars
        for (model, path), nanodollars in self._earned.items():
            name = revenue_account(model, path)
            sums[name] = sums.get(name, 0) - nanodollars
        return sums

    def _step(self, numbers: Mapping[str, int]) -> Iterator[Finding]:
        counted = numbers["until"] <= self._rolled_up
        doubtful = False
        for row in self._connection.execute(self._sums_of_records, numbers).fetchall():
            sums = RecordSums(*row)
            self._add(sums)
            if counted:
                self.rollups.add(sums)
            if not sums.agrees or sums.price_id not in self._prices:
                doubtful = True
            elif counted:
                self._bill(sums, numbers["until"])
        if doubtful:
            chosen = {**numbers, "altered": self._altered}
            for row in self._connection.execute(self._doubtful, chosen).fetchall():
                yield from self._examine(_Evidence(*row))

    def _add(self, sums: RecordSums) -> None:
        self.usage_records += sums.requests
        self.charged_nanodollars += sums.nanodollars
        hour, place = (sums.account, sums.hour), (sums.model, sums.serving_path)
        self.keys.add((sums.account, sums.key_id))
        self._charged[hour] = self._charged.get(hour, 0) + sums.nanodollars
        self._earned[place] = self._earned.get(place, 0) + sums.nanodollars

    def _bill(self, sums: RecordSums, sequence: int) -> None:
        self._billed.add(
            (sums.prompt_tokens - sums.cached_prompt_tokens, sums.cached_prompt_tokens, sums.generated_tokens),
            sums.nanodollars,
            account=sums.account,
            place=(sums.model, sums.serving_path, sums.price_id),
            sequence=sequence,
            hour=sums.hour,
        )

    def _examine(self, evidence: _Evidence) -> Iterator[Finding]:
        version = self._prices.get(evidence.price_id)
        if version is None:
            yield Finding(kind=FindingKind.PRICE_MISSING, subject=evidence.request_id)
        elif (version.model, version.serving_path) != (evidence.model, evidence.serving_path):
            yield Finding(kind=FindingKind.PRICE_OF_ANOTHER_MODEL, subject=evidence.request_id)
        elif evidence.contradicts_itself:
            yield Finding(kind=FindingKind.TOKENS_CONTRADICT, subject=evidence.request_id)
        else:
            usage = evidence.usage()
            expected = rate(usage, version.price).nanodollars
            self._billed.add(
                (usage.uncached_prompt_tokens, usage.cached_prompt_tokens, usage.generated_tokens),
                expected,
                account=evidence.account,
                place=(evidence.model, evidence.serving_path, evidence.price_id),
                sequence=evidence.sequence,
                hour=evidence.finished_ns // HOUR_NS,
            )
            if evidence.charge_nanodollars != expected:
                yield Finding(
                    kind=FindingKind.CHARGE_DIFFERS,
                    subject=evidence.request_id,
                    expected_nanodollars=expected,
                    found_nanodollars=evidence.charge_nanodollars,
                )
