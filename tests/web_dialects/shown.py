"""What a client gets for an engine's event."""

import msgspec

from servery.core.errors import EngineBroke
from servery.engines.engine_answer import EngineEvent
from servery.engines.unreadable import UNREADABLE
from servery.web.presenter import Presenter

_decoder = msgspec.json.Decoder(EngineEvent | None)


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
