"""Filters as control requests carry them: ``model_name = "x" AND api_key_id = "y"``."""

import re
from collections.abc import Collection
from typing import Final

from servery.core.errors import InvalidRequest

_MOST_TERMS: Final = 16
_TERM = re.compile(r"""\s*(?P<field>[a-z_.]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))\s*""")


def filter_terms(text: str, *, fields: Collection[str]) -> dict[str, str]:
    """The value that each field is to have; none for an empty filter. Raises InvalidRequest for anything but
    equalities of ``fields`` joined by AND, each field once."""
    terms: dict[str, str] = {}
    if not text.strip():
        return terms
    for part in re.split(r"\s+AND\s+", text.strip()):
        term = _TERM.fullmatch(part)
        if term is None or term["field"] not in fields or term["field"] in terms or len(terms) >= _MOST_TERMS:
            known = ", ".join(sorted(fields))
            raise InvalidRequest(
                f'a filter is field = "value", joined by AND, of {known}; not {part!r}', param="filter"
            )
        terms[term["field"]] = term["quoted"] if term["quoted"] is not None else term["bare"]
    return terms
