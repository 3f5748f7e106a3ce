"""What is wrong with a value that was written in a YAML file, in the words of somebody who reads such files."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from servery.catalog.document import Document
from servery.catalog.document import Path as FieldPath

_YAML_WORDS: Final = {
    "object": "a mapping",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
}
_MSGSPEC_ERROR = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<field>[^.\[\]]+)|\[(?P<place>\d+)\]")


def conversion_fault(
    document: Document, entry: FieldPath, msgspec_error: str, closed_sets: Mapping[str, type[StrEnum]]
) -> tuple[FieldPath, str]:
    """The full path of the field, and the fault. ``entry`` is where the converted value stands; ``closed_sets`` are
    the fields that take one of a few words, with those words."""
    parts = _MSGSPEC_ERROR.match(msgspec_error)
    assert parts is not None, "the pattern matches any text"
    path: FieldPath = (*entry, *_steps(parts["path"] or ""))
    field = re.match(r"Object (?:contains (unknown)|missing required) field `(.*)`", parts["message"])
    if field is not None:
        return (*path, field[2]), field[1] or "missing"
    return path, _reworded(parts["message"], path, document.scalar(path), closed_sets)


def _steps(msgspec_path: str) -> FieldPath:
    """``.engine.urls[0]`` as a path."""
    return tuple(
        step["field"] if step["field"] is not None else int(step["place"]) for step in _STEP.finditer(msgspec_path)
    )


def _reworded(message: str, path: FieldPath, written: str | None, closed_sets: Mapping[str, type[StrEnum]]) -> str:
    """msgspec's ``message`` about the value at ``path``, which was ``written``."""
    if mismatch := re.match(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`", message):
        got = repr(written) if written is not None else _YAML_WORDS.get(mismatch[2], mismatch[2])
        return f"expected {_YAML_WORDS.get(mismatch[1], mismatch[1])}, got {got}"
    if message.startswith("Invalid RFC3339 encoded date"):
        return f"expected a date such as 2026-11-20, got {written!r}"
    members = next((members for field, members in closed_sets.items() if field in path), None)
    if members is not None and message.startswith(("Invalid enum value", "Invalid value")):
        return f"{written!r} is none of {', '.join(members)}"
    return message
