"""What is read of an engine's answer, and no more: the shapes of its frames and of whole answers."""

import msgspec
from msgspec import UNSET, UnsetType

from servery.engines.reported_usage import ReportedUsage


class Progress(msgspec.Struct):
    total: int = 0
    cache: int = 0


class Timings(msgspec.Struct):
    prompt_ms: float | None = None


class Ending(msgspec.Struct):
    """How one answer ended, if it has."""

    finish_reason: str | None = None


class Delta(msgspec.Struct):
    role: str | None = None
    content: str | UnsetType | None = UNSET


class Step(Ending):
    """What a frame says of one answer."""

    delta: Delta | None = None


class Frame(msgspec.Struct):
    choices: list[Step] | None = None
    usage: ReportedUsage | None = None
    timings: object = None
    prompt_progress: Progress | None = None


class Message(msgspec.Struct):
    content: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class Choice(msgspec.Struct):
    text: str = ""
    message: Message = msgspec.field(default_factory=Message)

    @property
    def generated_bytes(self) -> int:
        calls = bytes(self.message.tool_calls)
        return len(self.text) + len(self.message.content or "") + (0 if calls == b"null" else len(calls))


class Whole(msgspec.Struct):
    choices: list[Ending] | None = None
    usage: ReportedUsage | None = None
    timings: Timings | None = None


class Texts(msgspec.Struct):
    choices: list[Choice] = []
