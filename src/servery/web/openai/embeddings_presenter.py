"""Embeddings: a list of vectors, as numbers or as base64 of little-endian 32-bit floats."""

import math
import sys
from array import array
from base64 import b64encode
from typing import NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from servery.core.errors import EngineUnavailable, ServeryError
from servery.core.serving_path import ServingPath
from servery.engines.engine_answer import EngineAnswer, EngineVectors
from servery.engines.whole_answer import WholeAnswer
from servery.serving.served import Served
from servery.web.openai.answers import PerfMetrics
from servery.web.openai.errors import error_body, error_frame
from servery.web.openai.read_answer import read_json
from servery.web.openai.shown import perf_metrics


class EmbeddingForm(msgspec.Struct, frozen=True, kw_only=True):
    """How the client wants its vectors."""

    base64: bool
    normalize: bool
    perf_metrics: bool


class _Vector(msgspec.Struct):
    index: int
    embedding: msgspec.Raw | str
    object: str = "embedding"


class _Usage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    model: str
    usage: _Usage
    object: str = "list"
    perf_metrics: PerfMetrics | UnsetType = UNSET


_numbers = msgspec.json.Decoder(list[float])

_OF_NUMBERS = b"0123456789+-.eE, \t\r\n"
"""What a list of numbers is written with between its brackets."""


class EmbeddingsPresenter:
    """Shows the answer to one embeddings request, which is never a stream; see ``Presenter``."""

    def __init__(self, request_id: str, model: str, form: EmbeddingForm) -> None:
        self._request_id = request_id
        self._model = model
        self._form = form

    def admitted(self, path: ServingPath) -> None:
        """Not shown: OpenAI's answer has no tier here."""

    def stream_frame(self, branch: int, event: bytes, read: EngineAnswer | None) -> NoReturn:
        raise AssertionError("embeddings are not streamed")

    def plain_frames(self, branch: int) -> None:
        """None: there are no events."""

    def stream_end(self, served: Served) -> NoReturn:
        raise AssertionError("embeddings are not streamed")

    def whole(self, answers: list[WholeAnswer], served: Served) -> bytes:
        """Raises EngineUnavailable when an answer cannot be read. Vectors keep the order of the inputs."""
        vectors: list[msgspec.Raw] = []
        for answer in answers:
            read = answer.read
            if not isinstance(read, EngineVectors) or read.data is None:
                raise EngineUnavailable("The engine's answer holds no vectors.")
            vectors += [vector.embedding for vector in sorted(read.data, key=lambda vector: vector.index)]
        shown = _Vectors(
            [_Vector(index, self._shown(vector)) for index, vector in enumerate(vectors)],
            self._model,
            _Usage(served.usage.prompt_tokens, served.usage.prompt_tokens),
        )
        if self._form.perf_metrics:
            shown.perf_metrics = perf_metrics(served)
        return msgspec.json.encode(shown)

    def error(self, error: ServeryError) -> bytes:
        return error_body(error, self._request_id)

    def error_frame(self, error: ServeryError) -> bytes:
        return error_frame(error, self._request_id)

    def _shown(self, vector: msgspec.Raw) -> msgspec.Raw | str:
        """To take numbers apart and put them together again costs some ten times as much as passing them on."""
        if not (self._form.normalize or self._form.base64):
            # Of what is JSON, only a list of numbers is left so.
            if bytes(vector).translate(None, _OF_NUMBERS) != b"[]":
                raise EngineUnavailable("The engine's answer holds vectors that are none.")
            return vector
        numbers = read_json(bytes(vector), _numbers, otherwise=EngineUnavailable)
        if self._form.normalize:
            length = math.hypot(*numbers) or 1.0
            numbers = [component / length for component in numbers]
        return _base64(numbers) if self._form.base64 else msgspec.Raw(msgspec.json.encode(numbers))


def _base64(vector: list[float]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats).decode()
