"""What engines send, in OpenAI's form: whole answers and streamed events, read once, for whoever counts and whoever
shows.

Only what is shown to a client, or counted, is a field here, and presenters are given no more than ``EngineAnswer``;
whatever else an engine sends (its id, its model's name) is not read, so it cannot be passed on. What is decoded holds
nothing that could lead back to it, so the garbage collector need not know of it.
"""

import msgspec

from servery.engines.reported_usage import ReportedUsage


class EngineTopLogprob(msgspec.Struct, gc=False):
    """llama.cpp says ``id`` where Fireworks says ``token_id``."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None
    id: int | None = None
    token_id: int | None = None


class EngineLogprob(EngineTopLogprob, gc=False):
    top_logprobs: list[EngineTopLogprob] | None = None


class EngineLogprobs(msgspec.Struct, gc=False):
    """``content`` in the chat form; the others in the legacy form, which some engines use on completions."""

    content: list[EngineLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None


class EngineFunction(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class EngineToolCall(msgspec.Struct, omit_defaults=True, gc=False):
    """Whole, or the next fragment of the call at ``index``."""

    function: EngineFunction
    index: int | None = None
    id: str | None = None


class EngineMessage(msgspec.Struct, gc=False):
    """A message or a delta. vLLM says ``reasoning`` where others say ``reasoning_content``."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[EngineToolCall] | None = None


class EngineChoice(msgspec.Struct, gc=False):
    """A choice of any of the four forms. ``stop_reason`` (vLLM) and ``matched_stop`` (SGLang) are the stop text that
    ended the answer, or a token's id."""

    delta: EngineMessage | None = None
    message: EngineMessage | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: EngineLogprobs | None = None
    stop_reason: object = None
    matched_stop: object = None

    @property
    def generated_bytes(self) -> int:
        """So much text is in a whole one, what was thought and what is called included."""
        told = self.message or EngineMessage()
        texts = (self.text, told.content, told.reasoning_content or told.reasoning)
        calls = msgspec.json.encode(told.tool_calls) if told.tool_calls else b""
        return sum(len(text.encode()) for text in texts if text) + len(calls)


class Verbose(msgspec.Struct, gc=False):
    stopping_word: str | None = None


class EngineAnswer(msgspec.Struct, gc=False):
    choices: list[EngineChoice] | None = None
    created: float | None = 0
    error: object = None
    verbose: Verbose | None = msgspec.field(default=None, name="__verbose")


class Timings(msgspec.Struct, gc=False):
    prompt_ms: float | None = None


class EngineWhole(EngineAnswer, gc=False):
    """A whole answer, with what is counted of it."""

    usage: ReportedUsage | None = None
    timings: Timings | None = None


class EngineVector(msgspec.Struct, gc=False):
    """The numbers of ``embedding`` as they came, which are JSON; whether they are numbers has not been looked at."""

    embedding: msgspec.Raw
    index: int = 0


class EngineVectors(EngineWhole, gc=False):
    """The answer to a request for embeddings."""

    data: list[EngineVector] | None = None


class Progress(msgspec.Struct, gc=False):
    total: int = 0
    cache: int = 0
    processed: int = 0


class EngineEvent(EngineAnswer, gc=False):
    """A streamed event, with what is counted of it."""

    usage: ReportedUsage | None = None
    timings: object = None
    prompt_progress: Progress | None = None
