"""What form of answer is asked for."""

from typing import Literal

import msgspec


class ResponseFormat(msgspec.Struct, forbid_unknown_fields=True):
    """``json_schema`` holds a schema, or OpenAI's wrapper around one; ``schema`` is the same, unwrapped."""

    type: Literal["text", "json_object", "json_schema", "grammar"]
    json_schema: msgspec.Raw = msgspec.Raw()
    schema: msgspec.Raw = msgspec.Raw()
    grammar: str | None = None


class Wrapper(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    schema: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None
    description: str | None = None
