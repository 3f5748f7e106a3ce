"""Whatever bytes arrive, they are understood or refused; nothing else happens."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_chat, parse_completions, parse_embeddings

from servery.core.errors import InvalidRequest
from servery.web.openai.asked import UNSUPPORTED
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.completion_body import CompletionBody
from servery.web.openai.embeddings import EmbeddingsBody

ENDPOINTS = [
    (parse_chat, ChatBody, {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    (parse_completions, CompletionBody, {"model": "m", "prompt": "hi"}),
    (parse_embeddings, EmbeddingsBody, {"model": "m", "input": "hi"}),
]
WORDS = [
    "role", "content", "type", "text", "image_url", "url", "function", "name", "arguments", "parameters", "tool_calls",
    "id", "schema", "json_schema", "grammar", "user", "assistant", "tool", "auto", "enabled", "x",
]  # fmt: skip
WORD = st.sampled_from(WORDS) | st.text(max_size=5)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORD
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORD, inner, max_size=4))


@pytest.mark.parametrize(("parse", "body", "least"), ENDPOINTS)
@given(data=st.data())
def test_any_value_in_any_field(parse: Any, body: Any, least: dict[str, Any], data: st.DataObject) -> None:
    """Known fields with values of any shape, beside unknown ones, give a request or InvalidRequest."""
    names = st.sampled_from(msgspec.structs.fields(body)).map(lambda field: field.encode_name)
    fields = data.draw(st.dictionaries(names | WORD | st.sampled_from([*UNSUPPORTED]), JSON, max_size=4))
    with suppress(InvalidRequest):
        assert parse(msgspec.json.encode({**least, **fields}), {}, "chatcmpl-1").request.work


@pytest.mark.parametrize(("parse", "body", "least"), ENDPOINTS)
@given(noise=st.binary(), at=st.integers(0, 80))
def test_any_bytes(parse: Any, body: Any, least: dict[str, Any], noise: bytes, at: int) -> None:
    """Bytes put anywhere into a good body are refused, unless they leave it good."""
    good = msgspec.json.encode(least)
    for damaged in (noise, good[:at] + noise + good[at:], good[:at]):
        with suppress(InvalidRequest):
            assert parse(damaged, {}, "chatcmpl-1").request.work
