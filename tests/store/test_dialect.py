"""Queries are written in SQLite's dialect; what PostgreSQL says otherwise is said for it."""

import pytest

from servery.store.dialect import to_postgresql


@pytest.mark.parametrize(
    ("sqlite", "postgresql"),
    [
        ("a = :b AND c = ?", "a = %(b)s AND c = %s"),
        ("a LIKE '%:b?'", "a LIKE '%%:b?'"),
        ("a::text = :b", "a::text = %(b)s"),
        (
            "a IN (SELECT value FROM json_each(:ids))",
            "a IN (SELECT json_array_elements_text(CAST(%(ids)s AS json)))",
        ),
    ],
)
def test_what_differs_is_translated(sqlite: str, postgresql: str) -> None:
    """Parameters, percent signs and the texts of a JSON array; strings and casts stay."""
    assert to_postgresql(sqlite) == postgresql
