"""Named SQL."""

from pathlib import Path

import pytest

import servery
from servery.store.sql import load_queries, parse_queries

SQL_FILES = sorted(file for file in Path(servery.__file__).parent.rglob("*.sql") if file.parent.name != "migrations")


def test_queries_are_found_by_name() -> None:
    """A block is its name, a line of purpose, and the SQL up to the next name."""
    text = "-- name: one\n-- The first.\nSELECT 1;\n\n-- name: two\n-- The second.\nSELECT\n  2;\n"
    assert parse_queries(text) == {"one": "SELECT 1;", "two": "SELECT\n  2;"}


@pytest.mark.parametrize(
    "text",
    [
        "-- name: one\nSELECT 1;\n",
        "-- name: one\n-- Twice.\nSELECT 1;\n-- name: one\n-- Twice.\nSELECT 1;\n",
        "-- name: one\n-- Empty.\n\n-- name: two\n-- Not empty.\nSELECT 1;\n",
        "SELECT 0;\n-- name: one\n-- After something.\nSELECT 1;\n",
        "SELECT 1;\n",
    ],
)
def test_files_that_break_the_rules_are_refused(text: str) -> None:
    """No purpose, no SQL, two of one name, or SQL without a name: each is an error when the file is loaded."""
    with pytest.raises(ValueError, match=r"quer|text before"):
        parse_queries(text)


@pytest.mark.parametrize("file", SQL_FILES, ids=lambda file: file.name)
def test_every_shipped_file_keeps_the_rules(file: Path) -> None:
    """All .sql files load, as package data of the package they stand in."""
    assert load_queries(f"servery.{file.parent.name}", file.name)
