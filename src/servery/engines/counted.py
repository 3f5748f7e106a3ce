"""How engines tell the length of a prompt that they were asked to count."""

from typing import Annotated

import msgspec

_Number = Annotated[int, msgspec.Meta(ge=0)]


class InputTokens(msgspec.Struct):
    input_tokens: _Number


class Tokens(msgspec.Struct):
    tokens: list[int]


class Count(msgspec.Struct):
    count: _Number
