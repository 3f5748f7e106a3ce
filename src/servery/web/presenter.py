"""How an answer is shown to a client, in the client's dialect. One presenter serves one request."""

from typing import Protocol

from servery.core.acyclic import acyclic
from servery.core.errors import ServeryError
from servery.core.inference import InferenceRequest
from servery.core.serving_path import ServingPath
from servery.core.value import Value
from servery.engines.engine_answer import EngineAnswer
from servery.engines.plain_frames import PlainFrames
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served


class Presenter(Protocol):
    """Turns what engines send into what the client expects. Methods are called in the order of a response's life;
    none does I/O, all are cheap: ``stream_frame`` runs once per generated token.

    An *engine event* is the JSON of one server-sent event in OpenAI's form (``chat.completion.chunk`` or a streamed
    ``text_completion``), without ``data:`` and without usage; it may hold keys private to the engine, which a
    presenter never passes on, and names the engine's own id and model, which it replaces.
    """

    def admitted(self, path: ServingPath) -> None:
        """The stream is served on ``path``, which may be another than was asked for; called before all else, except
        ``error``. Of a whole answer ``Served`` tells it."""
        ...

    def stream_frame(self, branch: int, event: bytes, read: EngineAnswer | None) -> bytes:
        """Bytes to send for one event of element ``branch`` of the request's work; may be empty. ``read``: what was
        read of it, None where it is not in OpenAI's form."""
        ...

    def plain_frames(self, branch: int) -> PlainFrames | None:
        """Those of element ``branch``, as they were learned so far, and may be later: what they make of an event is
        what ``stream_frame`` would. None where no event is like another."""
        ...

    def stream_end(self, served: Served) -> bytes:
        """The last bytes of a stream: what carries usage, and the terminator. Sent once the charge is durable."""
        ...

    def whole(self, answers: list[WholeAnswer], served: Served) -> bytes:
        """The JSON body of an answer that is not streamed; ``answers`` are the engines', by branch."""
        ...

    def error(self, error: ServeryError) -> bytes:
        """The JSON body of a refusal; its status is the error's."""
        ...

    def error_frame(self, error: ServeryError) -> bytes:
        """What ends a stream that has begun and cannot be finished."""
        ...


@acyclic
class ParsedCall(Value):
    """A body that was understood: what is asked, and how the answer is to be shown."""

    FIELDS = ("request", "presenter")
    __slots__ = FIELDS

    def __init__(self, request: InferenceRequest, presenter: Presenter) -> None:
        self.request = request
        self.presenter = presenter
