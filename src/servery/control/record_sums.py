"""Sums of usage records, and whether the hourly sums that are kept are the same."""

from collections.abc import Iterator

import msgspec

from servery.control.books_report import Finding, FindingKind
from servery.store.connection import Connection
from servery.store.sql import load_queries


class RecordSums(msgspec.Struct, frozen=True):
    """Of the records of one hour that have the first six in common. ``agrees`` is 1 where each charge is what its
    tokens cost at its price version."""

    account: str
    model: str
    serving_path: str
    price_id: str
    key_id: str
    cost_labels: str
    hour: int
    agrees: int
    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int


_Amounts = tuple[int, int, int, int, int]
_Series = tuple[str, str, str, str, str, str]
_Difference = dict[tuple[_Series, int], _Amounts]


class RollupCheck:
    """Takes sums of records as they come, in whatever order, and takes the kept ones from them: what is left over
    contradicts. Records come about in the order of time, so that what is left is little at any moment, though a year's
    hourly sums are not."""

    def __init__(self, connection: Connection) -> None:
        self._sql = load_queries("servery.control", "examined_records.sql")
        self._connection = connection
        self._kept = iter(connection.execute(self._sql["rollups_by_hour"]))
        self._next = next(self._kept, None)
        self._left: _Difference = {}

    def add(self, sums: RecordSums) -> None:
        """Records that are in the hourly sums."""
        self._settle(before_hour=sums.hour)
        series = (sums.account, sums.model, sums.serving_path, sums.price_id, sums.key_id, sums.cost_labels)
        amounts = (sums.requests, sums.prompt_tokens, sums.cached_prompt_tokens, sums.generated_tokens)
        self._move(series, sums.hour, (*amounts, sums.nanodollars))

    def findings(self) -> Iterator[Finding]:
        """After the last record: which hours differ."""
        self._settle(before_hour=None)
        if not self._left:
            return
        for account, hour, expected, found in self._connection.execute(self._sql["rollups_that_differ"]).fetchall():
            yield Finding(
                kind=FindingKind.ROLLUP_DIFFERS,
                subject=f"{account} hour {hour}",
                expected_nanodollars=expected,
                found_nanodollars=found,
            )

    def _settle(self, *, before_hour: int | None) -> None:
        while self._next is not None and (before_hour is None or self._next[6] < before_hour):
            *series, hour, requests, prompt, cached, generated, nanodollars = self._next
            self._move(_series(series), hour, (-requests, -prompt, -cached, -generated, -nanodollars))
            self._next = next(self._kept, None)

    def _move(self, series: _Series, hour: int, amounts: _Amounts) -> None:
        place = (series, hour)
        before = self._left.pop(place, None)
        if before is not None:
            amounts = _sum(before, amounts)
        if any(amounts):
            self._left[place] = amounts


def _series(facts: list[str]) -> _Series:
    account, model, serving_path, price_id, key_id, cost_labels = facts
    return account, model, serving_path, price_id, key_id, cost_labels


def _sum(one: _Amounts, other: _Amounts) -> _Amounts:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4])
