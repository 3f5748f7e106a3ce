"""``reasoning_effort`` and ``thinking``: two spellings of how much a model may think before it answers; and
``chat_template_kwargs``, a third of whether it may.

How much is a *level*: engines take a level, not a number of tokens. A number (``reasoning_effort: 4096``,
``thinking.budget_tokens``) therefore stands for the level in whose range it lies, the mapping that Fireworks documents
for its Anthropic-compatible endpoint: from 10,000 high, from 5,000 medium, below low.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.core.errors import InvalidRequest
from servery.web.openai.template_options import TemplateOptions

_HIGH_FROM_TOKENS = 10_000
_MEDIUM_FROM_TOKENS = 5_000

Effort = (
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "adaptive"]
    | Annotated[int, Meta(ge=1)]
    | bool
    | None
)


class Thinking(msgspec.Struct, forbid_unknown_fields=True):
    """Anthropic's spelling, also taken in OpenAI's dialect."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=1024)] | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """As an engine is told: the level's name, and options for the chat template. Both None: the model's own way."""

    effort: str | None = None
    template_options: msgspec.Raw | None = None


UNCHANGED = Reasoning()
OFF = Reasoning("none", msgspec.Raw(b'{"enable_thinking":false}'))


def at_level(level: str) -> Reasoning:
    return Reasoning(level, msgspec.Raw(b'{"enable_thinking":true}'))


def level_of_budget(budget_tokens: int) -> str:
    if budget_tokens >= _HIGH_FROM_TOKENS:
        return "high"
    return "medium" if budget_tokens >= _MEDIUM_FROM_TOKENS else "low"


def reasoning(effort: Effort, thinking: Thinking | None) -> Reasoning:
    """Raises InvalidRequest when both are given. ``adaptive`` leaves the model as it is; ``minimal`` is low."""
    if effort is not None and thinking is not None:
        raise InvalidRequest("reasoning_effort and thinking exclude each other.", param="thinking")
    if thinking is not None:
        return _from_thinking(thinking)
    if effort is None or effort == "adaptive":
        return UNCHANGED
    if effort is False or effort == "none":
        return OFF
    if effort is True:
        return at_level("medium")
    if isinstance(effort, int):
        return at_level(level_of_budget(effort))
    return at_level("low" if effort == "minimal" else effort)


def with_options(reasoning: Reasoning, given: TemplateOptions) -> Reasoning:
    """The options of the client's own beside those of a level. Raises InvalidRequest where they say the opposite."""
    thinks = None if reasoning.effort is None else reasoning.effort != OFF.effort
    for name in ("enable_thinking", "thinking"):
        if thinks is not None and getattr(given, name) is (not thinks):
            raise InvalidRequest(
                f"chat_template_kwargs.{name} contradicts reasoning_effort or thinking.",
                param=f"chat_template_kwargs.{name}",
            )
    options = msgspec.structs.replace(given, enable_thinking=thinks) if thinks is not None else given
    if options == TemplateOptions():
        return reasoning
    return Reasoning(reasoning.effort, msgspec.Raw(msgspec.json.encode(options)))


def _from_thinking(thinking: Thinking) -> Reasoning:
    if thinking.type != "enabled" and thinking.budget_tokens is not None:
        raise InvalidRequest("A budget goes with type enabled only.", param="thinking.budget_tokens")
    match thinking.type:
        case "adaptive":
            return UNCHANGED
        case "disabled":
            return OFF
        case "enabled":
            return at_level("medium" if thinking.budget_tokens is None else level_of_budget(thinking.budget_tokens))
