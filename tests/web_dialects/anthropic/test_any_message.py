"""Whatever bytes arrive, they are understood or refused; nothing else happens."""

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_messages

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.web.anthropic.body import MessagesBody

LEAST: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
KEYS = ["role", "content", "type", "text", "source", "id", "tool_use_id", "name", "input", "thinking", "input_schema"]
VALUES = ["user", "assistant", "text", "tool_use", "tool_result", "image", "thinking", "url", "base64", "x"]
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = LEAF | st.sampled_from(VALUES)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "tool_use", "tool_result", "thinking", "image"])},
    optional={
        "text": st.text(max_size=3),
        "thinking": st.text(max_size=3),
        "id": st.just("t"),
        "tool_use_id": st.just("t"),
        "name": st.just("f"),
        "input": st.dictionaries(st.text(max_size=2), LEAF, max_size=2),
        "content": st.text(max_size=3),
        "source": st.just({"type": "url", "url": "https://host/x.png"}),
    },
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCK, max_size=3)}
)


@given(
    st.dictionaries(
        st.sampled_from([field.encode_name for field in msgspec.structs.fields(MessagesBody)]), JSON, max_size=4
    ),
    st.lists(MESSAGE, max_size=3),
)
def test_any_value_in_any_field(fields: dict[str, Any], messages: list[Any]) -> None:
    """Known fields and blocks of any shape give a request in OpenAI's form, or InvalidRequest."""
    for body in ({**LEAST, **fields}, {**LEAST, "messages": messages}):
        with suppress(InvalidRequest):
            (work,) = parse_messages(msgspec.json.encode(body), {}, "chatcmpl-1").request.work
            assert isinstance(work, Generation)
            assert msgspec.json.decode(work.messages or b"")


@given(st.binary(), st.integers(0, 90))
def test_any_bytes(noise: bytes, at: int) -> None:
    """Bytes put anywhere into a good body are refused, unless they leave it good."""
    good = msgspec.json.encode(LEAST)
    for damaged in (noise, good[:at] + noise + good[at:], good[:at]):
        with suppress(InvalidRequest):
            assert parse_messages(damaged, {}, "chatcmpl-1").request.work
