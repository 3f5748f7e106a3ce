"""Reads what engines send, in OpenAI's form."""

from typing import Final, TypeVar

import msgspec

from servery.core.errors import EngineUnavailable, ServeryError
from servery.engines.engine_answer import EngineAnswer, EngineChoice, EngineMessage
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer

_Read = TypeVar("_Read")


def read_whole(answer: WholeAnswer) -> EngineAnswer:
    """What was read of a whole answer. Raises EngineUnavailable when it holds no choice."""
    read = answer.read
    if read is None or not read.choices:
        raise EngineUnavailable("The engine's answer holds no choice.")
    return read


def read_json(text: bytes, decoder: msgspec.json.Decoder[_Read], *, otherwise: type[ServeryError]) -> _Read:
    """Raises ``otherwise`` when ``text`` is not what ``decoder`` reads."""
    try:
        return decoder.decode(text)
    except UNREADABLE as error:
        raise otherwise("The engine's answer could not be read.") from error


FINISH_REASONS: Final = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})


def finish_reason(told: str | None) -> str | None:
    """As OpenAI's schema names it: a reason outside its set (an engine's own word for the end) is ``stop``."""
    return told if told is None or told in FINISH_REASONS else "stop"


def only_choice(answer: EngineAnswer) -> EngineChoice | None:
    """A request's choices are asked for one by one."""
    choices = answer.choices
    return choices[0] if choices else None


def reasoning_text(message: EngineMessage) -> str | None:
    return message.reasoning_content if message.reasoning_content is not None else message.reasoning


def stop_text(answer: EngineAnswer) -> str | None:
    """The stop text that ended the answer, where the engine tells."""
    told: list[object] = [answer.verbose.stopping_word] if answer.verbose else []
    choice = only_choice(answer)
    if choice is not None:
        told += [choice.stop_reason, choice.matched_stop]
    return next((text for text in told if isinstance(text, str) and text), None)
