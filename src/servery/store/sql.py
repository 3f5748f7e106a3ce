"""Named SQL: queries stand in ``.sql`` files beside the package that uses them, each with a line of purpose.

    -- name: account_by_id
    -- One account, or no row.
    SELECT ... WHERE id = :id;

A file holds nothing but such blocks. A name is used exactly once per file. Each query is written once, in what SQLite
and PostgreSQL have in common. Only where there is nothing in common, PostgreSQL's text follows SQLite's:

    -- name: database_now
    -- The time of the database, in nanoseconds.
    SELECT :now_ns;
    -- postgresql:
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) * 1000;
"""

import re
from importlib import resources
from typing import Self

from servery.store.dialect import to_postgresql

_HEAD = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\n-- (?P<purpose>\S[^\n]*)\n", re.MULTILINE)
_OTHER_DIALECT = re.compile(r"^-- postgresql:\n", re.MULTILINE)


class Query(str):
    """A query: the text for SQLite, with that for PostgreSQL's driver beside it."""

    __slots__ = ("postgresql",)
    postgresql: str

    def __new__(cls, sqlite: str, postgresql: str | None = None) -> Self:
        """``postgresql`` is its own text, with parameters written as SQLite's; None: the same words will do."""
        query = super().__new__(cls, sqlite)
        query.postgresql = to_postgresql(sqlite if postgresql is None else postgresql)
        return query


def load_queries(package: str, file_name: str) -> dict[str, Query]:
    """The queries of ``file_name`` in ``package`` (such as ``"servery.tenancy"``), by name.

    Raises ValueError when a block has no line of purpose or no SQL, or when a name comes twice.
    """
    return parse_queries(resources.files(package).joinpath(file_name).read_text(encoding="utf-8"))


def parse_queries(text: str) -> dict[str, Query]:
    """The queries in the text of a ``.sql`` file, by name; raises ValueError as ``load_queries`` does."""
    heads = list(_HEAD.finditer(text))
    if len(heads) != len(re.findall(r"^-- name:", text, re.MULTILINE)):
        raise ValueError("each query begins with '-- name: <name>' and then '-- <one line of purpose>'")
    if text[: heads[0].start() if heads else None].strip():
        raise ValueError("there is text before the first '-- name:'")
    queries: dict[str, Query] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        name = head["name"]
        texts = _OTHER_DIALECT.split(text[head.end() : following.start() if following else None])
        if not all(sql.strip() for sql in texts) or len(texts) > 2:
            raise ValueError(f"query {name!r} is empty, or has more than two dialects")
        if name in queries:
            raise ValueError(f"query {name!r} is defined twice")
        queries[name] = Query(*(sql.strip() for sql in texts))
    return queries
