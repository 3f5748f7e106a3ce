"""``response_format``: the prescribed form of an answer."""

from typing import Final

import msgspec

from servery.core.errors import InvalidRequest
from servery.core.structure import Structure, StructureKind
from servery.web.openai.json_body import decode_part
from servery.web.openai.response_format import ResponseFormat, Wrapper

_GRAMMAR_CHARS_MAX: Final = 100_000
_PARAM: Final = "response_format"


_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WRAPPER: Final = msgspec.json.Decoder(Wrapper)


def structure(asked: ResponseFormat | None) -> Structure | None:
    """None for free text. Raises InvalidRequest for a format that lacks its schema or grammar, or has one too many."""
    if asked is None:
        return None
    schemas = [schema for schema in (_unwrapped(asked.json_schema), _given(asked.schema)) if schema is not None]
    match asked.type:
        case "text":
            _refuse_extra(asked.type, given=bool(schemas) or bool(asked.grammar))
            return None
        case "grammar":
            _refuse_extra(asked.type, given=bool(schemas))
            if not asked.grammar or len(asked.grammar) > _GRAMMAR_CHARS_MAX:
                raise InvalidRequest(
                    f"A grammar of 1 to {_GRAMMAR_CHARS_MAX} characters is needed.", param=f"{_PARAM}.grammar"
                )
            return Structure(StructureKind.GRAMMAR, grammar=asked.grammar)
        case "json_object" | "json_schema":
            _refuse_extra(asked.type, given=bool(asked.grammar) or len(schemas) > 1)
            if schemas:
                return Structure(StructureKind.JSON_SCHEMA, schema=msgspec.Raw(schemas[0]))
            if asked.type == "json_schema":
                raise InvalidRequest("A schema is needed.", param=f"{_PARAM}.json_schema")
            return Structure(StructureKind.JSON_OBJECT)


def _given(raw: msgspec.Raw) -> bytes | None:
    """The schema's JSON; Fireworks also takes it as a string that holds JSON."""
    text = bytes(raw)
    if text.startswith(b'"'):
        text = msgspec.json.decode(text, type=str).strip().encode()
        _checked_json(text)
    if text in (b"", b"null"):
        return None
    if not text.startswith(b"{"):
        raise InvalidRequest("A schema is a JSON object.", param=_PARAM)
    return text


def _unwrapped(raw: msgspec.Raw) -> bytes | None:
    """A JSON schema has no keyword ``schema``, so an object with one is OpenAI's ``{name, schema, strict}``."""
    text = _given(raw)
    if text is None:
        return None
    keys = decode_part(text, _KEYS, param=f"{_PARAM}.json_schema")
    if "schema" not in keys and not (keys.keys() <= {"name", "strict", "description"} and "name" in keys):
        return text
    return _given(decode_part(text, _WRAPPER, param=f"{_PARAM}.json_schema").schema)


def _checked_json(text: bytes) -> None:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The schema is not valid JSON: {error}.", param=_PARAM) from None


def _refuse_extra(kind: str, *, given: bool) -> None:
    if given:
        raise InvalidRequest(f"A response_format of type {kind} does not go with what else it holds.", param=_PARAM)
