"""How engines tell the length of a prompt that they were asked to count."""

import msgspec


class InputTokens(msgspec.Struct):
    input_tokens: int


class Tokens(msgspec.Struct):
    tokens: list[int]


class Count(msgspec.Struct):
    count: int
