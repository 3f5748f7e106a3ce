"""From the SQL that packages keep, with ``:name`` or ``?`` for parameters, to the dialect of PostgreSQL's driver."""

import re
import sqlite3
from enum import StrEnum

from servery.store.connection import Connection

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*'              # a string
    | "(?:[^"]|"")*"            # a quoted name
    | --[^\n]*                  # a comment
    | ::                        # a cast in PostgreSQL's short form
    | :(?P<name>[a-z][a-z0-9_]*)
    | (?P<question>\?)
    | %
    """,
    re.VERBOSE,
)

_VALUES = re.compile(r"SELECT value FROM json_each\((:[a-z][a-z0-9_]*)\)")


class Dialect(StrEnum):
    """The two databases. The values name the directories of migrations."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def is_sqlite(connection: Connection) -> bool:
    """Whether it speaks SQLite's dialect, for the few who do on one what the other does by itself."""
    return isinstance(connection, sqlite3.Connection)


def to_postgresql(sql: str) -> str:
    """``:name`` becomes ``%(name)s``, ``?`` becomes ``%s``, and a percent sign is doubled. Strings, quoted names,
    comments and ``::`` keep their colons and question marks. ``SELECT value FROM json_each(:name)``, the texts of a
    JSON array, is said in PostgreSQL's way. Nothing else changes: where the dialects differ in more, a query has a text
    for each."""
    return _TOKEN.sub(_translated, _VALUES.sub(r"SELECT json_array_elements_text(CAST(\1 AS json))", sql))


def _translated(token: re.Match[str]) -> str:
    if token["name"]:
        return f"%({token['name']})s"
    if token["question"]:
        return "%s"
    return token[0].replace("%", "%%")
