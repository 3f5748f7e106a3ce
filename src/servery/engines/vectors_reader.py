"""Reads an engine's answer of vectors."""

from typing import Final

import msgspec

from servery.core.errors import EngineUnavailable
from servery.engines.answer_reader import TallyingReader
from servery.engines.engine_answer import EngineVectors
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer

_vectors: Final = msgspec.json.Decoder(EngineVectors)


class VectorsReader(TallyingReader):
    """Whose numbers are not taken apart."""

    def end(self) -> WholeAnswer:
        body = self.body
        try:
            vectors = _vectors.decode(body)
        except UNREADABLE:
            raise EngineUnavailable("the engine that serves this model did not answer as it should") from None
        self._count(vectors)
        return WholeAnswer(body, vectors)
