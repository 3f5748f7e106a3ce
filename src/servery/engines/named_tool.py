"""The one tool that a request insists on, for engines that can be told only that some tool must be called."""

from typing import Final

import msgspec


class _Function(msgspec.Struct):
    name: str


class _Named(msgspec.Struct):
    """A tool, and a choice of one, as far as it matters here."""

    function: _Function


REQUIRED: Final = "required"
_named: Final = msgspec.json.Decoder(_Named)
_tools: Final = msgspec.json.Decoder(list[msgspec.Raw])


def named_tool(tools: msgspec.Raw, choice: msgspec.Raw) -> msgspec.Raw | None:
    """Of ``tools`` the one that ``choice`` names; None where it names none, but is a word."""
    if not bytes(choice).startswith(b"{"):
        return None
    name = _named.decode(choice).function.name
    return next(tool for tool in _tools.decode(tools) if _named.decode(tool).function.name == name)
