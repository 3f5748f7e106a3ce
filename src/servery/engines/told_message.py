"""What is read of an engine's answer in Anthropic's form: the shapes of its events and of whole messages."""

from typing import Literal

import msgspec

from servery.engines.reported_usage import ReportedDetails, ReportedUsage


class MessageUsage(msgspec.Struct, gc=False):
    """What was read from the prompt cache and what was written to it are counted beside ``input_tokens``."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    def reported(self) -> ReportedUsage:
        """The same in OpenAI's terms, where the prompt is all of it."""
        prompt, cached = self.input_tokens, self.cache_read_input_tokens or 0
        return ReportedUsage(
            prompt_tokens=None if prompt is None else prompt + cached + (self.cache_creation_input_tokens or 0),
            completion_tokens=self.output_tokens,
            prompt_tokens_details=ReportedDetails(cached_tokens=cached),
        )


class Started(msgspec.Struct, gc=False):
    usage: MessageUsage | None = None


class Delta(msgspec.Struct, gc=False):
    type: str | None = None
    stop_reason: str | None = None


class Event(msgspec.Struct, gc=False):
    type: str
    message: Started | None = None
    delta: Delta | None = None
    usage: MessageUsage | None = None


class Block(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""
    input: msgspec.Raw = msgspec.Raw()

    @property
    def generated_bytes(self) -> int:
        return len(self.text.encode()) + len(self.thinking.encode()) + len(bytes(self.input))


class Message(msgspec.Struct, gc=False):
    type: Literal["message"]
    content: list[Block] = []
    usage: MessageUsage | None = None
    stop_reason: str | None = None
