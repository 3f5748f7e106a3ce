"""Named SQL."""

from pathlib import Path

import pytest

import servery
from servery.store.sql import Query, load_queries, parse_queries

SQL_FILES = sorted(file for file in Path(servery.__file__).parent.rglob("*.sql") if "migrations" not in file.parts)


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
        "-- name: one\n-- Empty for one.\nSELECT 1;\n-- postgresql:\n",
    ],
)
def test_files_that_break_the_rules_are_refused(text: str) -> None:
    """No purpose, no SQL, two of one name, or SQL without a name: each is an error when the file is loaded."""
    with pytest.raises(ValueError, match=r"quer|text before"):
        parse_queries(text)


@pytest.mark.parametrize(
    ("sqlite", "postgresql"),
    [
        ("SELECT a FROM b WHERE c = :c_d AND e IN (:f, ?)", "SELECT a FROM b WHERE c = %(c_d)s AND e IN (%(f)s, %s)"),
        ("SELECT ':no', \":no\", 'it''s :no' -- :no?", "SELECT ':no', \":no\", 'it''s :no' -- :no?"),
        ("SELECT 7 % 4 WHERE a LIKE 'x%'", "SELECT 7 %% 4 WHERE a LIKE 'x%%'"),
        ("SELECT :a::bigint", "SELECT %(a)s::bigint"),
    ],
)
def test_a_query_is_written_once_for_both_databases(sqlite: str, postgresql: str) -> None:
    """Parameters are translated, and only where they are parameters."""
    query = Query(sqlite)
    assert (query, query.postgresql) == (sqlite, postgresql)


def test_a_query_may_have_a_text_for_each_database() -> None:
    """Where the dialects have no words in common, the second text is PostgreSQL's."""
    text = "-- name: one\n-- The first.\nSELECT date(:a);\n-- postgresql:\nSELECT to_char(:a);\n"
    query = parse_queries(text)["one"]
    assert (query, query.postgresql) == ("SELECT date(:a);", "SELECT to_char(%(a)s);")


@pytest.mark.parametrize("file", SQL_FILES, ids=lambda file: file.name)
def test_every_shipped_file_keeps_the_rules(file: Path) -> None:
    """All .sql files load, as package data of the package they stand in."""
    assert load_queries(f"servery.{file.parent.name}", file.name)
