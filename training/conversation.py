"""A conversation as the model sees it: messages, tools, and their rendering by the chat template.

The template that trains the model is the very file that is written into the GGUF, so that training and
serving cannot differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE_PATH = Path(__file__).with_name("chat_template.jinja")
ASSISTANT_START = "<|im_start|>assistant\n"
MESSAGE_END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool: its name and its arguments."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `role` is system, user, assistant or tool."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The message as the chat template expects it."""
        calls = [{"function": {"name": c.name, "arguments": c.arguments}} for c in self.tool_calls]
        return {"role": self.role, "content": self.content, "tool_calls": calls}


Exchange = tuple[Message, ...]
"""Messages that belong together, beginning with the user's, ending with the assistant's."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages with the tools that the system prompt declares."""

    messages: Exchange
    tools: tuple[dict[str, Any], ...] = ()

    def render(self) -> str:
        """The text of the conversation, special tokens included, without a generation prompt."""
        messages = [message.as_dict() for message in self.messages]
        return _template().render(messages=messages, tools=list(self.tools), add_generation_prompt=False)


def user(content: str) -> Message:
    """A message of the user."""
    return Message("user", content)


def assistant(content: str, *calls: ToolCall) -> Message:
    """A message of the assistant, with the tool calls it makes."""
    return Message("assistant", content, calls)


def system(content: str) -> Message:
    """The system prompt."""
    return Message("system", content)


def ask(question: str, answer: str) -> Exchange:
    """One question with its answer."""
    return (user(question), assistant(answer))


def to_json(value: object) -> str:
    """JSON in the one spelling that the model learns: spaces after comma and colon, no escapes."""
    return json.dumps(value, ensure_ascii=False)


@cache
def _template() -> jinja2.Template:
    # No escaping: the text is a prompt, not HTML.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    environment.filters["tojson"] = to_json
    return environment.from_string(TEMPLATE_PATH.read_text(encoding="utf-8"))
