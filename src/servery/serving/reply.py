"""The client's side of one request, as the pipeline sees it."""

from typing import Protocol

import msgspec

from servery.core.limit_reading import LimitReading
from servery.core.serving_path import ServingPath
from servery.engines.answer_reader import EventSink
from servery.engines.whole_answer import WholeAnswer
from servery.routing.weighing import Weighing
from servery.serving.served import Served


class Flow(Protocol):
    """What can be slowed down when a client reads slowly."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class StreamStart(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a stream's first token arrives; the engine may not have told the prompt's length yet."""

    time_to_first_token_s: float
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None


class Reply(Protocol):
    """Written to by the pipeline, in this order: ``granted``, maybe ``near_budget``; ``routed`` for each replica that
    is tried; ``start`` and what goes to a ``sink``, for a stream; ``last_bytes``; ``finish``. Refusals are raised past
    it."""

    def granted(self, reading: LimitReading, path: ServingPath) -> None:
        """The caller's limits, to be shown in the response's head, and the path on which the request is served."""
        ...

    def near_budget(self, used_share: float) -> None:
        """The account's money comes to an end: ``used_share`` (0 to 1, and beyond) of it is spent or held."""
        ...

    def routed(self, weighing: Weighing) -> None:
        """A replica has been chosen; ``weighing`` explains why, which costs something."""
        ...

    def start(self, start: StreamStart) -> None:
        """A stream begins; from now on the request cannot be retried elsewhere."""
        ...

    def sink(self, branch: int) -> EventSink:
        """Passes on the engine events of element ``branch`` of the request's work."""
        ...

    def last_bytes(self, answers: list[WholeAnswer], served: Served) -> bytes:
        """The end of the response, or the whole body when it is not a stream; sends nothing. Raises EngineUnavailable
        when an answer is none that a client could be shown: nothing has been charged yet."""
        ...

    def finish(self, last: bytes, served: Served) -> None:
        """The charge is durable: release ``last``."""
        ...

    def attach(self, flow: Flow) -> None:
        """From now on, ``flow`` is slowed down with the client."""
        ...

    def detach(self, flow: Flow) -> None: ...
