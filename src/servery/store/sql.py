"""Named SQL: queries stand in ``.sql`` files beside the package that uses them, each with a line of purpose.

    -- name: account_by_id
    -- One account, or no row.
    SELECT ... WHERE id = :id;

A file holds nothing but such blocks. A name is used exactly once per file.
"""

import re
from importlib import resources

_HEAD = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\n-- (?P<purpose>\S[^\n]*)\n", re.MULTILINE)


def load_queries(package: str, file_name: str) -> dict[str, str]:
    """The queries of ``file_name`` in ``package`` (such as ``"servery.tenancy"``), by name.

    Raises ValueError when a block has no line of purpose or no SQL, or when a name comes twice.
    """
    return parse_queries(resources.files(package).joinpath(file_name).read_text(encoding="utf-8"))


def parse_queries(text: str) -> dict[str, str]:
    """The queries in the text of a ``.sql`` file, by name; raises ValueError as ``load_queries`` does."""
    heads = list(_HEAD.finditer(text))
    if len(heads) != len(re.findall(r"^-- name:", text, re.MULTILINE)):
        raise ValueError("each query begins with '-- name: <name>' and then '-- <one line of purpose>'")
    if text[: heads[0].start() if heads else None].strip():
        raise ValueError("there is text before the first '-- name:'")
    queries: dict[str, str] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        name = head["name"]
        sql = text[head.end() : following.start() if following else None].strip()
        if not sql:
            raise ValueError(f"query {name!r} is empty")
        if name in queries:
            raise ValueError(f"query {name!r} is defined twice")
        queries[name] = sql
    return queries
