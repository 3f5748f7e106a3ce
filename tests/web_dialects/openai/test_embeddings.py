"""Embeddings, request and answer."""

import struct
from base64 import b64decode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_embeddings
from tests.web_dialects.shown import whole_of

from servery.core.errors import EngineUnavailable, InvalidRequest
from servery.core.inference import Embedding
from servery.core.serving_path import Endpoint, ServingPath
from servery.serving.served import Served
from servery.web.openai.embeddings_presenter import EmbeddingForm, EmbeddingsPresenter
from servery.web.presenter import ParsedCall, Presenter


def call(**fields: Any) -> ParsedCall:
    return parse_embeddings(msgspec.json.encode({"model": "m", "input": "hi", **fields}), {}, "chatcmpl-1")


def answer(*vectors: list[float]) -> bytes:
    """An engine's, with the vectors in reverse: their index says where they belong."""
    data = [{"embedding": vector, "index": index, "object": "embedding"} for index, vector in enumerate(vectors)]
    return msgspec.json.encode({"object": "list", "data": data[::-1], "model": "e", "timings": {}})


@pytest.mark.parametrize(
    ("given_input", "expected"),
    [
        ("hi", ("hi",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_inputs_of_all_four_kinds(given_input: object, expected: object) -> None:
    """Texts or lists of token ids, all in one engine call."""
    asked = call(input=given_input, dimensions=64).request
    assert asked.endpoint is Endpoint.EMBEDDINGS
    assert [(work.inputs, work.dimensions) for work in asked.work if isinstance(work, Embedding)] == [(expected, 64)]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": ["a", [1]]}, "input"),
        ({"input": ["a"] * 2_049}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"return_logits": True}, "return_logits"),
        ({"prompt_template": "x"}, "prompt_template"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """What embeddings do not take is a 400 that names the field."""
    with pytest.raises(InvalidRequest) as caught:
        call(**fields)
    assert caught.value.param == param


def test_the_answer_is_openais_list(served: Served) -> None:
    """Vectors in the inputs' order, usage of the prompt alone, nothing of the engine's own."""
    presenter: Presenter = call(input=["a", "b"], perf_metrics_in_response=True).presenter
    presenter.admitted(ServingPath.STANDARD)
    shown = msgspec.json.decode(whole_of(presenter, [answer([1.0], [2.0])], served))
    assert shown == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0]},
            {"object": "embedding", "index": 1, "embedding": [2.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 21, "total_tokens": 21},
        "perf_metrics": {
            "prompt-tokens": 21,
            "cached-prompt-tokens": 20,
            "server-time-to-first-token": 0.012346,
            "server-processing-time": 0.5,
        },
    }


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_is_little_endian_floats(vector: list[float]) -> None:
    """Base64 decodes to the same numbers, four bytes each, the least significant first."""
    form = EmbeddingForm(base64=True, normalize=False, perf_metrics=False)
    shown = EmbeddingsPresenter("chatcmpl-1", "m", form)._shown(msgspec.Raw(msgspec.json.encode(vector)))
    assert isinstance(shown, str)
    assert list(struct.unpack(f"<{len(vector)}f", b64decode(shown))) == vector


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)), st.sampled_from([0, 1])
)
def test_numbers_are_passed_on_as_they_came(vector: list[float], indent: int) -> None:
    """However the engine writes them."""
    form = EmbeddingForm(base64=False, normalize=False, perf_metrics=False)
    raw = msgspec.Raw(msgspec.json.format(msgspec.json.encode(vector), indent=indent))
    assert EmbeddingsPresenter("chatcmpl-1", "m", form)._shown(raw) is raw


@pytest.mark.parametrize("none", ["5", "null", '"eee"', "{}", "[null]", "[true]", "[[1]]", "[[],[]]", '["1"]', "[{}]"])
@pytest.mark.parametrize("base64", [False, True])
def test_what_is_no_vector_is_not_passed_on(none: str, *, base64: bool) -> None:
    """Whatever is asked for, only a list of numbers is shown."""
    form = EmbeddingForm(base64=base64, normalize=False, perf_metrics=False)
    with pytest.raises(EngineUnavailable):
        EmbeddingsPresenter("chatcmpl-1", "m", form)._shown(msgspec.Raw(none.encode()))


def test_vectors_are_normalised_on_demand(served: Served) -> None:
    """``normalize`` gives length one; a vector of zeros stays."""
    shown = msgspec.json.decode(whole_of(call(normalize=True).presenter, [answer([3.0, 4.0], [0.0, 0.0])], served))
    assert [row["embedding"] for row in shown["data"]] == [[0.6, 0.8], [0.0, 0.0]]


@pytest.mark.parametrize("nonsense", [b"", b"null", b"{}", b'{"data":[{"embedding":["x"]}]}', b'{"data":[{}]}'])
def test_nonsense_from_an_engine(nonsense: bytes, served: Served) -> None:
    """An answer that cannot be read is the engine's failure."""
    with pytest.raises(EngineUnavailable):
        whole_of(call().presenter, [nonsense], served)
