"""The form that an answer is prescribed."""

from enum import StrEnum

import msgspec


class StructureKind(StrEnum):
    """The ways in which an answer's form can be prescribed."""

    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    GRAMMAR = "grammar"


class Structure(msgspec.Struct, frozen=True):
    """The prescribed form of an answer: a JSON schema (as JSON text) or a GBNF grammar, or just any JSON object."""

    kind: StructureKind
    schema: msgspec.Raw | None = None
    grammar: str | None = None
