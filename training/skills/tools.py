"""Conversations with tools: calling the right one with the right arguments, answering from its result."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from training.conversation import Conversation, Exchange, Message, ToolCall, assistant, system, to_json, user
from training.skills import words
from training.skills.action_tools import ACTION_KINDS
from training.skills.query_tools import QUERY_KINDS
from training.skills.toolkit import Kind, Parameter, Values, values

Schema = dict[str, Any]
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful assistant with tools.",
    "Use the tools when they help.",
    "Be brief.",
    "You are an assistant. Call a tool if needed.",
)
KINDS = QUERY_KINDS + ACTION_KINDS
WEIGHTS = tuple(4 if kind.names[0] in {"get_weather"} else 2 if index < 4 else 1 for index, kind in enumerate(KINDS))


class Tool:
    """One tool as declared in a conversation: a kind with its name and parameter names chosen."""

    def __init__(self, rng: Random, kind: Kind) -> None:
        self.kind = kind
        self.name = (
            rng.choice(kind.names) if rng.random() < 0.92 else words.invented(rng) + "_" + rng.choice(kind.names)
        )
        used: set[str] = set()
        self.parameters: list[tuple[Parameter, str]] = []
        for parameter in kind.parameters:
            if parameter.field == "unit" and rng.random() < 0.6:
                continue
            name = rng.choice([n for n in parameter.names if n not in used])
            if rng.random() < 0.06:
                name = words.invented(rng)
            used.add(name)
            self.parameters.append((parameter, name))

    def schema(self, rng: Random) -> Schema:
        """The declaration as clients send it; llama.cpp shows an absent description as an empty one."""
        described = rng.random() < 0.5
        properties: dict[str, Schema] = {}
        for parameter, name in self.parameters:
            entry: Schema = {"type": parameter.kind}
            if parameter.choices:
                entry["enum"] = list(parameter.choices)
            if described and rng.random() < 0.5:
                entry["description"] = f"The {parameter.field}"
            properties[name] = entry
        declared: Schema = {"type": "object", "properties": properties}
        needed = [name for parameter, name in self.parameters if parameter.field != "unit"]
        if rng.random() < 0.85:
            declared["required"] = needed
        purpose = rng.choice(self.kind.purpose) if described or rng.random() < 0.5 else ""
        function = {"name": self.name, "description": purpose, "parameters": declared}
        return {"type": "function", "function": function}

    def call(self, found: Values, *, with_unit: bool) -> ToolCall:
        """The call with the values that the user said."""
        return ToolCall(
            self.name, {name: found[p.field] for p, name in self.parameters if p.field != "unit" or with_unit}
        )


def tool_use(rng: Random, other: Callable[[Random], Exchange]) -> Conversation:
    """A conversation with one to four tools, where one is called, or where none is needed."""
    kinds = _distinct(rng, rng.choice((1, 1, 1, 1, 2, 2, 3)))
    tools = [Tool(rng, kind) for kind in kinds]
    schemas = tuple(tool.schema(rng) for tool in tools)
    messages: list[Message] = [system(rng.choice(SYSTEMS))] if rng.random() < 0.3 else []
    if rng.random() < 0.22:
        messages += other(rng)
    if rng.random() < 0.9:
        messages += used(rng, rng.choice(tools))
        if rng.random() < 0.18:
            messages += used(rng, rng.choice(tools))
        if rng.random() < 0.08:
            messages += other(rng)
    elif len(messages) < 2:
        messages += other(rng)
    return Conversation(tuple(messages), schemas)


def used(rng: Random, tool: Tool) -> Exchange:
    """A request, the call and, mostly, the result and the answer."""
    found = values(rng)
    text = rng.choice(tool.kind.asks).format(**found)
    with_unit = any(p.field == "unit" for p, _ in tool.parameters) and rng.random() < 0.5
    if with_unit:
        text = f"{text.rstrip('.?')} {rng.choice(('in {}', 'in {} please', '({})')).format(found['unit'])}"
    call = tool.call(found, with_unit=with_unit)
    messages = [user(_typed(rng, text)), assistant("", call)]
    if rng.random() < 0.6:
        result = tool.kind.result(rng, found)
        shown = Message("tool", _shown(rng, result, call.arguments))
        messages += [shown, assistant(tool.kind.answer.format(**{**found, **result}))]
    return tuple(messages)


def _typed(rng: Random, text: str) -> str:
    """The text with or without its mark and a polite word; its values keep their letters."""
    if rng.random() < 0.12:
        text = rng.choice(("Please ", "Hey, ", "Hi! ", "Could you help? ", "OK, ", "Now ")) + text
    if rng.random() < 0.2:
        text = text.rstrip(".?")
    return text


def _shown(rng: Random, result: Values, arguments: Values) -> str:
    roll = rng.random()
    if roll < 0.15:
        return ", ".join(str(value) for value in result.values())
    if roll < 0.5:
        return to_json({**arguments, **result})
    return to_json(result)


def _distinct(rng: Random, count: int) -> list[Kind]:
    chosen: list[Kind] = []
    while len(chosen) < count:
        kind = rng.choices(KINDS, WEIGHTS)[0]
        if kind not in chosen:
            chosen.append(kind)
    return chosen


def declared_only(rng: Random, other: Callable[[Random], Exchange]) -> Conversation:
    """Tools are there, but the question needs none of them."""
    tools = [Tool(rng, kind) for kind in _distinct(rng, rng.choice((1, 2)))]
    return Conversation(other(rng), tuple(tool.schema(rng) for tool in tools))
