"""What is read of an engine's answer, that is no stream, and no more."""

import msgspec

from servery.engines.reported_usage import ReportedUsage


class Timings(msgspec.Struct):
    prompt_ms: float | None = None


class Ending(msgspec.Struct):
    """How one answer ended, if it has."""

    finish_reason: str | None = None


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
