"""What is read of an engine's answer, and no more: the shapes of its frames and of whole answers."""

import msgspec

from servery.engines.reported_usage import ReportedUsage


class Progress(msgspec.Struct):
    total: int = 0
    cache: int = 0


class Ending(msgspec.Struct):
    """How one answer ended, if it has."""

    finish_reason: str | None = None


class Frame(msgspec.Struct):
    choices: list[Ending] = []
    usage: ReportedUsage | None = None
    prompt_progress: Progress | None = None


class Timings(msgspec.Struct):
    prompt_ms: float | None = None


class Message(msgspec.Struct):
    content: str | None = None
    tool_calls: msgspec.Raw | None = None


class Choice(msgspec.Struct):
    text: str = ""
    message: Message = msgspec.field(default_factory=Message)

    @property
    def generated_bytes(self) -> int:
        return len(self.text) + len(self.message.content or "") + len(bytes(self.message.tool_calls or b""))


class Whole(msgspec.Struct):
    choices: list[Ending] | None = None
    usage: ReportedUsage | None = None
    timings: Timings | None = None


class Texts(msgspec.Struct):
    choices: list[Choice] = []
