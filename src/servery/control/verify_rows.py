"""Verifying what rows say by themselves, or beside one other: shapes, seals, marks, and that nothing is there twice."""

from collections.abc import Iterator
from typing import Final

from servery.billing.closed_months import ClosedMonths
from servery.billing.price_changes import PRICE_CHANGES_MARK, seal
from servery.control.books_report import Finding, FindingKind
from servery.store.connection import Connection
from servery.store.sql import load_queries

_SUBJECTS: Final = {
    "malformed_transfers": FindingKind.TRANSFER_MALFORMED,
    "codes_that_differ": FindingKind.CODE_DIFFERS,
}

_AT_THE_LAST: Final = (PRICE_CHANGES_MARK, "balances")
"""Marks that are moved in the transaction that adds the row."""


class RowCheck:
    """Reads what others need first: ``malformed`` are the ids of transfers of which nobody is to make sense."""

    def __init__(self, connection: Connection) -> None:
        self._sql = load_queries("servery.control", "verify_rows.sql")
        self._connection = connection
        self._marks: list[tuple[str | None, int | None, int]] = connection.execute(self._sql["marks"]).fetchall()
        found = connection.execute(self._sql["malformed_transfers"]).fetchall()
        self.malformed: frozenset[str] = frozenset(transfer_id for (transfer_id,) in found)

    def mark(self, name: str) -> int:
        """Where a watermark stands; 0 where there is none, of which ``findings`` tell."""
        return next((sequence for found, sequence, _ in self._marks if found == name and sequence is not None), 0)

    def owners_of_keys(self) -> dict[str, str]:
        """Whose each key is, by its id."""
        return dict(self._connection.execute(self._sql["owners_of_keys"]).fetchall())

    def findings(self) -> Iterator[Finding]:
        """All that is wrong about single rows."""
        for name, kind in _SUBJECTS.items():
            for (subject,) in self._connection.execute(self._sql[name]).fetchall():
                yield Finding(kind=kind, subject=subject)
        for table, subject in self._connection.execute(self._sql["rows_twice"]).fetchall():
            yield Finding(kind=FindingKind.ROW_TWICE, subject=f"{table} {subject}")
        yield from self._mark_findings()
        yield from self._price_change_findings()

    def _mark_findings(self) -> Iterator[Finding]:
        for name, sequence, last in self._marks:
            reached = sequence == last if name in _AT_THE_LAST else sequence is not None and 0 <= sequence <= last
            if not reached:
                yield Finding(kind=FindingKind.MARK_DIFFERS, subject=name or "watermarks")

        before = (0, 0)
        for closed in ClosedMonths().list(self._connection):
            counted = (closed.usage_sequence, closed.transfer_sequence)
            now = (self.mark("usage"), self.mark("transfers"))
            if not all(first <= then <= last for first, then, last in zip(before, counted, now, strict=True)):
                yield Finding(kind=FindingKind.MARK_DIFFERS, subject=str(closed.month))
            before = counted

    def _price_change_findings(self) -> Iterator[Finding]:
        """Each seal follows from the one before it. Those of before there were seals come first, and have none."""
        before: str | None = None
        has_seals = False
        for sequence, price_id, from_ns, recorded_ns, kept, has_version in self._connection.execute(
            self._sql["sealed_price_changes"]
        ).fetchall():
            old = kept is None and not has_seals
            if not has_version or not (old or kept == seal(before, price_id, from_ns, recorded_ns)):
                yield Finding(kind=FindingKind.PRICE_CHANGE_ALTERED, subject=f"price change {sequence}")
            before = kept
            has_seals = has_seals or kept is not None
