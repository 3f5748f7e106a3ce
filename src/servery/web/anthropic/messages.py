"""``POST /messages``: the request."""

from typing import Final

import msgspec

from servery.core.anthropic_form import AnthropicForm
from servery.core.caller import Caller
from servery.core.errors import InvalidRequest
from servery.core.inference import Generation, InferenceRequest
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint
from servery.core.structure import Structure, StructureKind
from servery.web.anthropic.blocks import read_messages
from servery.web.anthropic.body import UNSUPPORTED, MessagesBody, OutputConfig
from servery.web.anthropic.conversation import conversation
from servery.web.anthropic.messages_presenter import MessagesPresenter
from servery.web.anthropic.tools import translated_tools
from servery.web.openai.attribution import cost_labels, isolation_key, session
from servery.web.openai.json_body import decode_body
from servery.web.openai.reasoning import OFF, UNCHANGED, Reasoning, at_level, level_of_budget
from servery.web.presenter import ParsedCall

_DECODER: Final = msgspec.json.Decoder(MessagesBody)


def parse_messages(body: bytes, headers: dict[str, str], request_id: str, caller: Caller) -> ParsedCall:
    """What is asked, in OpenAI's form, and how to show the answer. ``headers`` have lower-case names.

    Raises InvalidRequest for a body that cannot be understood, for one that asks for what is not supported, and for
    unknown fields: nothing is dropped silently. ``cache_control`` is taken and changes nothing, because caching is
    automatic. ``service_tier: "priority"`` is taken though Anthropic's clients do not list it.
    """
    fields = decode_body(body, _DECODER)
    check(fields)
    claude_code_session = headers.get("x-claude-code-session-id")
    request = InferenceRequest(
        request_id=request_id,
        endpoint=Endpoint.CHAT,
        model=fields.model,
        work=(generation(fields),),
        stream=bool(fields.stream),
        priority=fields.service_tier == "priority",
        session=session(headers, claude_code_session or (fields.metadata.user_id if fields.metadata else None)),
        isolation_key=isolation_key(headers),
        cost_labels=cost_labels(headers),
    )
    hides_thinking = fields.thinking is not None and fields.thinking.display == "omitted"
    return ParsedCall(request, MessagesPresenter(request_id, fields.model, shows_thinking=not hides_thinking))


def check(fields: MessagesBody) -> None:
    """Raises InvalidRequest for what is not supported, and for what contradicts itself."""
    for name, off in UNSUPPORTED.items():
        if (value := getattr(fields, name)) is not None and value not in off:
            raise InvalidRequest(f"{name}: not supported.", param=name)
    if fields.max_tokens is not None and fields.max_tokens <= 0:
        raise InvalidRequest("max_tokens: must be > 0.", param="max_tokens")
    budget = fields.thinking.budget_tokens if fields.thinking else None
    if budget is not None and fields.max_tokens is not None and budget >= fields.max_tokens:
        raise InvalidRequest("thinking.budget_tokens: must be less than max_tokens.", param="thinking")


def generation(fields: MessagesBody) -> Generation:
    """What is asked of a model. Raises InvalidRequest."""
    clearing = fields.context_management.edits if fields.context_management else []
    thinking_turns = min((turns for edit in clearing if (turns := edit.turns) is not None), default=None)
    talk = conversation(fields.system, read_messages(fields.messages), thinking_turns=thinking_turns)
    tools = translated_tools(fields.tools, fields.tool_choice)
    effort = _reasoning(fields)
    one_tool = tools.tools is not None and fields.tool_choice and fields.tool_choice.disable_parallel_tool_use
    return Generation(
        messages=talk.messages,
        tools=tools.tools,
        tool_choice=tools.tool_choice,
        parallel_tool_calls=False if one_tool else None,
        structure=_structure(fields),
        max_tokens=fields.max_tokens,
        stop=tuple(fields.stop_sequences or ()),
        sampling=Sampling(temperature=fields.temperature, top_p=fields.top_p, top_k=fields.top_k),
        template_options=effort.template_options,
        reasoning_effort=effort.effort,
        has_images=talk.has_images,
        last_message=talk.last_message,
        anthropic=None if thinking_turns is not None or talk.tells_failures else _own_form(fields, talk.system),
    )


def _own_form(fields: MessagesBody, system: msgspec.Raw | None) -> AnthropicForm | None:
    """What may be passed to an engine that speaks this form; None where engines would not do all of it: they show the
    thinking that was to be omitted, and take a budget only if they were started for it."""
    thinking = fields.thinking
    if thinking is not None and (thinking.type == "enabled" or thinking.display == "omitted"):
        return None
    output = fields.output_config or OutputConfig()
    output = OutputConfig(effort=output.effort, format=output.format or fields.output_format)
    return AnthropicForm(
        messages=fields.messages,
        system=system,
        tools=_raw(fields.tools) if fields.tools else None,
        tool_choice=_raw(fields.tool_choice) if fields.tools and fields.tool_choice else None,
        thinking=_raw(thinking) if thinking is not None else None,
        output_config=_raw(output) if output != OutputConfig() else None,
    )


def _raw(part: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(part))


def _reasoning(fields: MessagesBody) -> Reasoning:
    """``output_config.effort`` is the level; else a thinking budget stands for one (see ``reasoning``). Without
    ``thinking`` the model thinks or not as it does by itself."""
    level = fields.output_config.effort if fields.output_config else None
    level = "max" if level == "xhigh" else level
    thinking = fields.thinking
    if thinking is None or thinking.type == "adaptive":
        return Reasoning(level) if level else UNCHANGED
    if thinking.type == "disabled":
        return OFF
    if thinking.budget_tokens is None:
        raise InvalidRequest("thinking.budget_tokens: needed with type enabled.", param="thinking")
    return at_level(level or level_of_budget(thinking.budget_tokens))


def _structure(fields: MessagesBody) -> Structure | None:
    asked = fields.output_config.format if fields.output_config else None
    if asked is not None and fields.output_format is not None:
        raise InvalidRequest("output_format: excludes output_config.format.", param="output_format")
    asked = asked or fields.output_format
    if asked is None:
        return None
    schema = bytes(asked.schema)
    if not schema.startswith(b"{"):
        raise InvalidRequest("output_config.format.schema: a schema is an object.", param="output_config")
    return Structure(StructureKind.JSON_SCHEMA, schema=msgspec.Raw(schema))
