"""What a client gets for an engine's event, or for a whole answer."""

import msgspec

from servery.core.errors import EngineBroke, EngineUnavailable
from servery.engines.engine_answer import EngineEvent, EngineVectors, EngineWhole
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served
from servery.web.presenter import Presenter

_decoder = msgspec.json.Decoder(EngineEvent | None)
_wholes = msgspec.json.Decoder(EngineWhole)
_vectors = msgspec.json.Decoder(EngineVectors)


def frame_of(presenter: Presenter, branch: int, event: bytes) -> bytes:
    """Of one in OpenAI's form, which is read as ``StreamReader`` does: what says nothing goes no further. Raises
    EngineBroke."""
    read = read_event(event)
    return b"" if read is None else presenter.stream_frame(branch, event, read)


def read_event(event: bytes) -> EngineEvent | None:
    try:
        return _decoder.decode(event)
    except UNREADABLE:
        raise EngineBroke("the engine sent an event that is not understood") from None


def whole_of(presenter: Presenter, answers: list[bytes], served: Served) -> bytes:
    """Of whole answers, which are read as engines' are: what is in Anthropic's form has a type at its top, and is not
    read. Raises EngineUnavailable."""
    return presenter.whole([_read(answer) for answer in answers], served)


def _read(answer: bytes) -> WholeAnswer:
    try:
        form = msgspec.json.decode(answer)
        if isinstance(form, dict) and "type" in form:
            return WholeAnswer(answer)
        is_of_vectors = isinstance(form, dict) and "data" in form
        return WholeAnswer(answer, (_vectors if is_of_vectors else _wholes).decode(answer))
    except UNREADABLE:
        raise EngineUnavailable("the engine that serves this model did not answer as it should") from None
