"""Tools that a model may call: the request's ``tools``, ``tool_choice``, and the older ``functions``."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.core.errors import InvalidRequest

TOOLS_MAX = 512
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')


class Function(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A tool's description; ``parameters`` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None


class Tool(msgspec.Struct, forbid_unknown_fields=True):
    function: Function
    type: Literal["function"] = "function"


class FunctionName(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class NamedTool(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    """Fireworks takes the name beside ``type`` too."""

    function: FunctionName | None = None
    name: str | None = None


class AllowedFunction(msgspec.Struct, forbid_unknown_fields=True):
    function: FunctionName
    type: Literal["function"] = "function"


class Allowed(msgspec.Struct, forbid_unknown_fields=True):
    tools: Annotated[list[AllowedFunction], Meta(min_length=1)]
    mode: Literal["auto", "required"]


class AllowedTools(msgspec.Struct, tag_field="type", tag="allowed_tools", forbid_unknown_fields=True):
    """Some of the tools: the model is told of no others."""

    allowed_tools: Allowed


ToolChoice = Literal["auto", "none", "any", "required"] | NamedTool | AllowedTools | None
FunctionCall = Literal["auto", "none"] | FunctionName | None


class Toolbox(msgspec.Struct, frozen=True):
    """As an engine is told: JSON in OpenAI's form, always written the same way, so that equal tools are equal bytes."""

    tools: msgspec.Raw | None = None
    tool_choice: msgspec.Raw | None = None


def toolbox(tools: list[Tool] | None, choice: ToolChoice) -> Toolbox:
    """Raises InvalidRequest for a tool that is misnamed or no schema, and for a choice of what is not there."""
    if not tools:
        if choice in (None, "auto", "none"):
            return Toolbox()
        raise InvalidRequest("tool_choice needs tools.", param="tool_choice")
    if len(tools) > TOOLS_MAX:
        raise InvalidRequest(f"At most {TOOLS_MAX} tools are taken.", param="tools")
    for index, tool in enumerate(tools):
        _check(tool.function, param=f"tools[{index}].function")
    names = [tool.function.name for tool in tools]
    if len(set(names)) != len(names):
        raise InvalidRequest("Two tools have one name.", param="tools")
    if isinstance(choice, AllowedTools):
        tools, choice = _allowed(tools, choice.allowed_tools), choice.allowed_tools.mode
    return Toolbox(msgspec.Raw(msgspec.json.encode(tools)), _choice(choice, names))


def toolbox_of_functions(functions: list[Function], call: FunctionCall) -> Toolbox:
    """The older spelling, as tools."""
    choice = NamedTool(function=call) if isinstance(call, FunctionName) else call
    return toolbox([Tool(function) for function in functions], choice)


def _check(function: Function, *, param: str) -> None:
    if not _NAME.fullmatch(function.name):
        raise InvalidRequest("A name is 1 to 64 of a-z, A-Z, 0-9, '_' and '-'.", param=f"{param}.name")
    parameters = bytes(function.parameters)
    if parameters in (b"", b"null"):
        function.parameters = _NO_PARAMETERS
    elif not parameters.startswith(b"{"):
        raise InvalidRequest("The parameters are a JSON schema, an object.", param=f"{param}.parameters")


def _allowed(tools: list[Tool], allowed: Allowed) -> list[Tool]:
    wanted = {one.function.name for one in allowed.tools}
    found = [tool for tool in tools if tool.function.name in wanted]
    if len(found) < len(wanted):
        raise InvalidRequest("tool_choice allows a tool that is not among the tools.", param="tool_choice")
    return found


def _choice(
    choice: Literal["auto", "none", "any", "required"] | NamedTool | None, names: list[str]
) -> msgspec.Raw | None:
    if choice is None:
        return None
    if not isinstance(choice, NamedTool):
        return msgspec.Raw(msgspec.json.encode("required" if choice == "any" else choice))
    name = choice.function.name if choice.function else choice.name
    if name not in names:
        raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")
    return msgspec.Raw(msgspec.json.encode({"type": "function", "function": {"name": name}}))
