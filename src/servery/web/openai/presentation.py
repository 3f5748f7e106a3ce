"""How the answer to one request is to be shown."""

from enum import Enum, auto

import msgspec


class LogprobForm(Enum):
    """What a client that asks for log probabilities gets: nothing, OpenAI's chat form, or the form before it."""

    NONE = auto()
    CONTENT = auto()
    LEGACY = auto()


_NONE = LogprobForm.NONE  # looked up for each request; from its class a member comes a good deal slower


class LogprobsAsked(msgspec.Struct, frozen=True):
    """``alternatives`` is how many other tokens to tell of at each place."""

    form: LogprobForm = LogprobForm.NONE
    alternatives: int = 0

    def __bool__(self) -> bool:
        return self.form is not _NONE


class Presentation(msgspec.Struct, frozen=True, kw_only=True):
    """``branches`` is the number of choices. ``function_calls``: tool calls are shown in the older spelling, as the
    client asked with ``functions``."""

    request_id: str
    model: str
    branches: int
    include_usage: bool = True
    perf_metrics: bool = False
    logprobs: LogprobsAsked = LogprobsAsked()
    function_calls: bool = False
