"""How the answer to one request is to be shown."""

from enum import Enum, auto
from typing import Final

from servery.core.acyclic import acyclic
from servery.core.value import Value


class LogprobForm(Enum):
    """What a client that asks for log probabilities gets: nothing, OpenAI's chat form, or the form before it."""

    NONE = auto()
    CONTENT = auto()
    LEGACY = auto()


_NONE: Final = LogprobForm.NONE  # looked up for each request; from its class a member comes a good deal slower


class LogprobsAsked(Value):
    """``alternatives`` is how many other tokens to tell of at each place."""

    FIELDS = ("form", "alternatives")
    __slots__ = FIELDS

    def __init__(self, form: LogprobForm = LogprobForm.NONE, alternatives: int = 0) -> None:
        self.form = form
        self.alternatives = alternatives

    def __bool__(self) -> bool:
        return self.form is not _NONE


NO_LOGPROBS: Final = LogprobsAsked()


@acyclic
class Presentation(Value):
    """``model_json``: the model's id as the client gave it. ``branches`` is the number of choices.
    ``function_calls``: tool calls are shown in the older spelling, as the client asked with ``functions``."""

    FIELDS = ("request_id", "model_json", "branches", "include_usage", "perf_metrics", "logprobs", "function_calls")
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        request_id: str,
        model_json: bytes,
        branches: int,
        include_usage: bool = True,
        perf_metrics: bool = False,
        logprobs: LogprobsAsked = NO_LOGPROBS,
        function_calls: bool = False,
    ) -> None:
        self.request_id = request_id
        self.model_json = model_json
        self.branches = branches
        self.include_usage = include_usage
        self.perf_metrics = perf_metrics
        self.logprobs = logprobs
        self.function_calls = function_calls
