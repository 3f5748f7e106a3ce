"""What was generated in a whole answer, for an engine that does not tell how much."""

import msgspec


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


class Texts(msgspec.Struct):
    choices: list[Choice] = []
