"""What engines send, in OpenAI's form: whole answers and streamed events, read into one shape.

Only what a client may be shown, or a presenter needs, is a field here; whatever else an engine sends (its id, its
model's name, timings, progress) is not read, so it cannot be passed on.
"""

from typing import TypeVar

import msgspec

from servery.core.errors import EngineBroke, ServeryError


class EngineTopLogprob(msgspec.Struct):
    """llama.cpp says ``id`` where Fireworks says ``token_id``."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None
    id: int | None = None
    token_id: int | None = None


class EngineLogprob(EngineTopLogprob):
    top_logprobs: list[EngineTopLogprob] | None = None


class EngineLogprobs(msgspec.Struct):
    """``content`` in the chat form; the others in the legacy form, which some engines use on completions."""

    content: list[EngineLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None


class EngineFunction(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class EngineToolCall(msgspec.Struct):
    """Whole, or the next fragment of the call at ``index``."""

    function: EngineFunction
    index: int | None = None
    id: str | None = None


class EngineMessage(msgspec.Struct):
    """A message or a delta. vLLM says ``reasoning`` where others say ``reasoning_content``."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[EngineToolCall] | None = None

    @property
    def reasoning_text(self) -> str | None:
        return self.reasoning_content if self.reasoning_content is not None else self.reasoning


class EngineChoice(msgspec.Struct):
    """A choice of any of the four forms. ``stop_reason`` (vLLM) and ``matched_stop`` (SGLang) are the stop text that
    ended the answer, or a token's id."""

    delta: EngineMessage | None = None
    message: EngineMessage | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: EngineLogprobs | None = None
    stop_reason: object = None
    matched_stop: object = None


class _Verbose(msgspec.Struct):
    stopping_word: str | None = None


class EngineAnswer(msgspec.Struct):
    choices: list[EngineChoice] | None = None
    created: float = 0
    error: object = None
    verbose: _Verbose | None = msgspec.field(default=None, name="__verbose")

    @property
    def choice(self) -> EngineChoice | None:
        """The only one: a request's choices are asked for one by one."""
        return self.choices[0] if self.choices else None

    def stop_text(self) -> str | None:
        """The stop text that ended the answer, where the engine tells."""
        told: list[object] = [self.verbose.stopping_word] if self.verbose else []
        if self.choice is not None:
            told += [self.choice.stop_reason, self.choice.matched_stop]
        return next((text for text in told if isinstance(text, str) and text), None)


_Read = TypeVar("_Read")
_EVENT: msgspec.json.Decoder[EngineAnswer | None] = msgspec.json.Decoder(EngineAnswer | None)
_WHOLE = msgspec.json.Decoder(EngineAnswer)


def read_event(event: bytes) -> EngineAnswer | None:
    """One streamed event; None where it says nothing (llama.cpp sends ``null`` at times). Raises EngineBroke."""
    answer = read_json(event, _EVENT, otherwise=EngineBroke)
    if answer is not None and answer.error is not None:
        raise EngineBroke("The engine reported an error in place of an answer.")
    return answer


def read_whole(answer: bytes, *, otherwise: type[ServeryError]) -> EngineAnswer:
    """A whole answer with a choice. Raises ``otherwise`` when it is none."""
    read = read_json(answer, _WHOLE, otherwise=otherwise)
    if read.choice is None:
        raise otherwise("The engine's answer holds no choice.")
    return read


def read_json(text: bytes, decoder: msgspec.json.Decoder[_Read], *, otherwise: type[ServeryError]) -> _Read:
    """Raises ``otherwise`` when ``text`` is not what ``decoder`` reads."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise otherwise("The engine's answer could not be read.") from error


FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})


def finish_reason(told: str | None) -> str | None:
    """As OpenAI's schema names it: a reason outside its set (an engine's own word for the end) is ``stop``."""
    return told if told is None or told in FINISH_REASONS else "stop"
