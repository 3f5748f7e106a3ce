"""Tools in Anthropic's form, rewritten in OpenAI's."""

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.anthropic.body import ToolChoiceIn
from servery.web.openai.json_body import decode_part
from servery.web.openai.tools import Function, FunctionName, NamedTool, Tool, Toolbox, ToolChoice, toolbox


class _ToolKind(msgspec.Struct):
    type: str | None = None


class ToolIn(msgspec.Struct, forbid_unknown_fields=True):
    """A tool that the client runs. ``eager_input_streaming`` is always so: fragments are sent as they come."""

    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    type: str | None = None
    strict: bool | None = None
    cache_control: object = None
    eager_input_streaming: bool | None = None
    defer_loading: object = None
    allowed_callers: object = None
    input_examples: object = None


_KIND = msgspec.json.Decoder(_ToolKind)
_TOOL = msgspec.json.Decoder(ToolIn)
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "defer_loading": (False,),
    "allowed_callers": (["direct"],),
    "input_examples": ([],),
}


def translated_tools(tools: list[msgspec.Raw] | None, choice: ToolChoiceIn | None) -> Toolbox:
    """Raises InvalidRequest for a tool that the service would have to run (web search and the like), and as
    ``toolbox`` does."""
    return toolbox([_translated(index, raw) for index, raw in enumerate(tools or ())], _choice(choice))


def _translated(index: int, raw: msgspec.Raw) -> Tool:
    param = f"tools[{index}]"
    kind = decode_part(raw, _KIND, param=param).type
    if kind not in (None, "custom"):
        raise InvalidRequest(f"{param}: tools of type {kind} are not supported.", param=param)
    tool = decode_part(raw, _TOOL, param=param)
    for name, off in _UNSUPPORTED.items():
        if (value := getattr(tool, name)) is not None and value not in off:
            raise InvalidRequest(f"{param}.{name}: not supported.", param=f"{param}.{name}")
    return Tool(Function(tool.name, tool.description, tool.input_schema, tool.strict))


def _choice(choice: ToolChoiceIn | None) -> ToolChoice:
    if choice is None:
        return None
    match choice.type:
        case "tool":
            if choice.name is None:
                raise InvalidRequest("tool_choice.name: needed with type tool.", param="tool_choice")
            return NamedTool(FunctionName(choice.name))
        case other:
            return other
