"""Tool calls that are required, at engines which let text go before them.

llama.cpp's grammar for a required call is "any text, then a call"; a model that would rather talk talks until its
tokens are spent, and calls nothing. So the answer is begun for it: the request ends with a message of the assistant
that is the beginning of a call, from which the model can go on in one way only. How a call begins is a matter of the
model's own template: the engine is had to write a conversation with a call and one that ends before it, and what the
first has more is

    <|im_start|>assistant\\n  <tool_call>\\n  {"name": "trial", ...
                             └─ opening ──┘

up to the JSON or, where there is none before it, up to the name (``<function=``). The rest is left to the engine's own
grammar and parser.
"""

from typing import Any, Final

import msgspec

from servery.core.inference import Generation
from servery.engines.continued import goes_on
from servery.engines.named_tool import insists_on_call

_NAME: Final = "trial"
_LONGEST: Final = 256
_TOOL: Final = {"type": "function", "function": {"name": _NAME, "parameters": {"type": "object", "properties": {}}}}
_SAID: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Go."}]
_CALLED: Final[list[dict[str, Any]]] = [
    *_SAID,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "trial0001", "type": "function", "function": {"name": _NAME, "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "trial0001", "content": "Done."},
    *_SAID,
]


class Rendered(msgspec.Struct):
    """What llama.cpp answers whom it is to apply its template for."""

    prompt: str


def wants_opening(work: Generation) -> bool:
    """Whether its answer must be a call, and is not begun by the client already."""
    return insists_on_call(work) and work.messages is not None and not goes_on(work.messages)


def trials() -> list[tuple[bytes, bytes]]:
    """Pairs of bodies for the template: a conversation up to the assistant's turn, and with a call in it. Some
    templates tell of the tools before the last turn, which parts the two; some write calls only where tools are."""
    return [
        (msgspec.json.encode({"messages": _SAID, **tools}), msgspec.json.encode({"messages": _CALLED, **tools}))
        for tools in ({}, {"tools": [_TOOL]})
    ]


def opening_of(said: str, called: str) -> str:
    """From the two as the template writes them; nothing where it does not tell."""
    if not called.startswith(said):
        return ""
    before, name, _ = called[len(said) :].partition(_NAME)
    opening, brace, _ = before.partition("{")
    opening = opening if opening.strip() else opening + brace
    return opening if name and opening.strip() and len(opening) <= _LONGEST else ""


def opened(messages: bytes, opening: str) -> bytes:
    """``messages`` with the beginning of the assistant's turn."""
    turn = msgspec.json.encode({"role": "assistant", "content": opening})
    return b"%b,%b]" % (messages[:-1], turn)
