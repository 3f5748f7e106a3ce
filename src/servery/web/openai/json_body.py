"""A request's body: from bytes to a typed value, or to one clear refusal."""

import re
from typing import Final, TypeVar

import msgspec

from servery.core.errors import InvalidRequest

_Body = TypeVar("_Body")

_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN_FIELD: Final = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING_FIELD: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)


def decode_body(body: bytes, decoder: msgspec.json.Decoder[_Body]) -> _Body:
    """The body as ``decoder``'s type. Raises InvalidRequest, with ``param`` where a field is to blame, for anything
    else: not UTF-8, not JSON, not an object, nested too deeply, a field that is missing, unknown or out of range."""
    try:
        if not body.isascii():
            body.decode()  # values that stay raw JSON are not checked for UTF-8 by the decoder
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The request body is not UTF-8 (byte {error.start}).") from None
    except msgspec.ValidationError as error:
        raise _refusal(str(error), within="") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.") from None


def decode_part(part: msgspec.Raw | bytes, decoder: msgspec.json.Decoder[_Body], *, param: str) -> _Body:
    """The same for a part of a body that was kept as raw JSON, and stood at ``param``."""
    try:
        return decoder.decode(part)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), within=param) from None
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.", param=param) from None


def _refusal(text: str, *, within: str) -> InvalidRequest:
    matched = _AT.match(text)
    assert matched is not None, "the pattern takes any text"
    what, path = matched["what"], _joined(within, matched["path"] or "")
    if unknown := _UNKNOWN_FIELD.match(what):
        name = _joined(path, unknown["name"])
        return InvalidRequest(f"Unrecognized request argument supplied: {name}", param=name)
    if missing := _MISSING_FIELD.match(what):
        name = _joined(path, missing["name"])
        return InvalidRequest(f"Missing required parameter: '{name}'.", param=name)
    if not path:
        return InvalidRequest("The request body must be a JSON object.")
    return InvalidRequest(f"Invalid value for '{path}': {what.replace('`', '')}.", param=path)


def _joined(path: str, name: str) -> str:
    """``name`` may be a field, an index such as ``[0]``, or nothing."""
    return f"{path}.{name}" if path and name and not name.startswith("[") else path + name
