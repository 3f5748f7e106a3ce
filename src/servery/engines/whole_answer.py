"""What an engine has answered, once all of it is there."""

from typing import Final

import msgspec

from servery.core.acyclic import acyclic
from servery.engines.engine_answer import EngineAnswer
from servery.engines.plain_answers import PlainAnswer

_answers: Final = msgspec.json.Decoder(EngineAnswer)


@acyclic
class WholeAnswer:
    """``body`` as it came, ``b""`` of a stream. ``plain``: what it says, where that is known without reading all of it.
    Never changed."""

    __slots__ = ("_read", "body", "plain")

    def __init__(self, body: bytes, read: EngineAnswer | None = None, *, plain: PlainAnswer | None = None) -> None:
        self.body = body
        self.plain = plain
        self._read = read

    @property
    def read(self) -> EngineAnswer | None:
        """What was read of it for counting, and need not be read again for showing; None of a stream, and of what is
        not in OpenAI's form."""
        if self._read is None and self.plain is not None:
            self._read = _answers.decode(self.body)
        return self._read
