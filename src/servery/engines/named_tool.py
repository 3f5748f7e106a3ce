"""What a request's choice of tools comes to, for engines that take it otherwise."""

from typing import Final

import msgspec

from servery.core.inference import Generation


class _Function(msgspec.Struct):
    name: str


class _Named(msgspec.Struct):
    """A tool, and a choice of one, as far as it matters here."""

    function: _Function


REQUIRED: Final = "required"
NONE: Final = b'"none"'
_REQUIRED: Final = b'"required"'
_named: Final = msgspec.json.Decoder(_Named)
_tools: Final = msgspec.json.Decoder(list[msgspec.Raw])


def named_tool(tools: msgspec.Raw, choice: msgspec.Raw) -> msgspec.Raw | None:
    """Of ``tools`` the one that ``choice`` names; None where it names none, but is a word."""
    if not bytes(choice).startswith(b"{"):
        return None
    name = _named.decode(choice).function.name
    return next(tool for tool in _tools.decode(tools) if _named.decode(tool).function.name == name)


def insists_on_call(work: Generation) -> bool:
    """Whether its answer must call a tool: some tool, or the one that is named."""
    if work.tools is None or work.tool_choice is None:
        return False
    choice = bytes(work.tool_choice)
    return choice == _REQUIRED or choice.startswith(b"{")
