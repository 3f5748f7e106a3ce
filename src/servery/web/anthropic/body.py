"""The bodies of ``POST /messages`` and of ``POST /messages/count_tokens``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

STOPS_MAX = 16
_STOP_CHARS_MAX = 1_024


class Metadata(msgspec.Struct, forbid_unknown_fields=True):
    user_id: str | None = None


class ToolChoiceIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``display: omitted`` leaves the thinking out of the answer; it is thought all the same."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class JsonFormat(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class _KeptTurns(msgspec.Struct, tag_field="type", tag="thinking_turns", forbid_unknown_fields=True):
    value: Annotated[int, Meta(ge=1)]


class _KeptAll(msgspec.Struct, tag_field="type", tag="all", forbid_unknown_fields=True):
    pass


class ClearThinking(msgspec.Struct, tag_field="type", tag="clear_thinking_20251015", forbid_unknown_fields=True):
    """Which past thinking stays in the prompt; by default that of the last assistant turn."""

    keep: _KeptTurns | _KeptAll | Literal["all"] | None = None

    @property
    def turns(self) -> int | None:
        """None: all."""
        if isinstance(self.keep, _KeptTurns):
            return self.keep.value
        return 1 if self.keep is None else None


class ContextManagement(msgspec.Struct, forbid_unknown_fields=True):
    edits: list[ClearThinking] = []


class PromptBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /messages/count_tokens``, and of ``POST /messages`` all that tells of the prompt. ``messages``
    are read apart (``blocks.read_messages``). Fields typed ``object`` are known to the API and not supported here."""

    model: Annotated[str, Meta(min_length=1, max_length=512)]
    messages: msgspec.Raw
    system: msgspec.Raw = msgspec.Raw()
    tools: list[msgspec.Raw] | None = None
    tool_choice: ToolChoiceIn | None = None
    thinking: ThinkingIn | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    context_management: ContextManagement | None = None
    cache_control: object = None

    # Not supported.
    billing_policy: object = None
    compaction: object = None
    mcp_servers: object = None
    speed: object = None


class MessagesBody(PromptBody, kw_only=True, forbid_unknown_fields=True):
    """``max_tokens`` may be absent, as some clients leave it out: then as many as fit."""

    max_tokens: Annotated[int, Meta(lt=2**31)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    stop_sequences: (
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=_STOP_CHARS_MAX)]],
            Meta(max_length=STOPS_MAX),
        ]
        | None
    ) = None
    stream: bool | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None

    # Not supported.
    container: object = None
    diagnostics: object = None
    fallback_credit_token: object = None
    fallbacks: object = None
    inference_geo: object = None
    raw_output: object = None
    thread: object = None


UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "billing_policy": (),
    "compaction": (),
    "container": (),
    "diagnostics": (),
    "fallback_credit_token": (),
    "fallbacks": ([],),
    "inference_geo": (),
    "mcp_servers": ([],),
    "raw_output": (False,),
    "speed": ("standard",),
    "thread": (),
}
"""Fields that are refused unless they hold null or one of these values."""
