"""What is not read again is understood as if it were."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import CALLER, said

from servery.core.errors import InvalidRequest
from servery.web.openai.chat import ChatParser
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.repeated_body import KEPT_BYTES_MAX, RepeatedBodies

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CONTENTS = st.text(max_size=5) | st.sampled_from(
    [
        '"messages":[',
        '}],"temperature":0}',
        "probe\u0001",
        None,
        [],
        [{"type": "text", "text": "x"}],
        [{"type": "image_url", "image_url": {"url": "https://a/b"}}],
    ]
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "developer", "tool", "x"]), "content": CONTENTS},
        optional={"name": st.sampled_from(["n", None, 1]), "refusal": st.none()},
    ),
    max_size=3,
)
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.5, None, 9]),
    "seed": st.sampled_from([None, 7]),
    "n": st.sampled_from([1, 2]),
    "max_tokens": st.sampled_from([1, 20]),
    "stream": st.booleans(),
    "tools": st.sampled_from([[], [TOOL], [TOOL, TOOL]]),
    "user": st.sampled_from(["[]", '[{"role":"user","content":"x"}]']),
    "metadata": st.just({"messages": "[]"}),
    "store": st.booleans(),
    "reasoning_history": st.sampled_from(["disabled", "interleaved"]),
    "messages": MESSAGES,  # a second time
}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Good and bad ones, with keys in any order and spaces anywhere between them; a key may come twice."""
    others = [(name, draw(OTHERS[name])) for name in draw(st.lists(st.sampled_from([*OTHERS]), max_size=3))]
    pairs = draw(st.permutations([("model", "m"), ("messages", draw(MESSAGES)), *others]))
    gap = draw(st.sampled_from([b"", b" ", b"\n"]))
    told = [msgspec.json.encode(name) + b":" + gap + msgspec.json.encode(value) for name, value in pairs]
    body = gap + b"{" + (b"," + gap).join(told) + b"}" + gap
    at = draw(st.none() | st.integers(0, len(body)))
    return body if at is None else body[:at] + draw(st.sampled_from([b"\xff", b"]", b'"', b",", b"0"])) + body[at:]


def understood(parser: ChatParser, body: bytes) -> tuple[object, ...]:
    try:
        return (said(parser.parse(body, {}, "chatcmpl-1", CALLER).request),)
    except InvalidRequest as refusal:
        return refusal.message, refusal.param


@given(some=st.lists(bodies(), min_size=1, max_size=3), order=st.lists(st.integers(0, 2), max_size=12))
def test_nothing_is_understood_otherwise_the_second_time(some: list[bytes], order: list[int]) -> None:
    """Whatever a key has asked before, a body says what it says to a parser that has never seen another."""
    parser = ChatParser(RepeatedBodies())
    for place in order:
        body = some[place % len(some)]
        assert understood(parser, body) == understood(ChatParser(RepeatedBodies()), body)


@given(some=st.lists(MESSAGES, min_size=1, max_size=8), others=st.fixed_dictionaries({}, optional=OTHERS))
def test_only_messages_differ(some: list[Any], others: dict[str, Any]) -> None:
    """The same for a client that asks for the same again and again, which the parser comes to know."""
    others.pop("messages", None)
    parser = ChatParser(RepeatedBodies())
    for messages in some:
        body = msgspec.json.encode({"model": "m", "messages": messages, **others})
        assert understood(parser, body) == understood(ChatParser(RepeatedBodies()), body)


def parsed(parser: ChatParser, bodies: Iterable[bytes], key_id: str = CALLER.key_id) -> None:
    caller = type(CALLER)("acme", key_id)
    for body in bodies:
        parser.parse(body, {}, "chatcmpl-1", caller)


def body_with(text: str = "hi", **fields: object) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": text}], **fields})


def test_a_key_is_known_by_several_ways_of_asking() -> None:
    """Two clients with one key are both known, whatever their messages are."""
    known = RepeatedBodies()
    parsed(ChatParser(known), [body_with("a", n=1), body_with("b", stream=True)] * 8)
    for body in (body_with("other", n=1), body_with("yet another", stream=True)):
        assert known.find(CALLER.key_id, body) is not None
    assert known.find("key_2", body_with("other", n=1)) is None
    assert known.find(CALLER.key_id, body_with("other", n=2)) is None


def test_what_is_long_is_not_kept() -> None:
    """Beside the messages, a body may be of any length, and only short ones are remembered."""
    known = RepeatedBodies()
    long = "x" * KEPT_BYTES_MAX
    parsed(ChatParser(known), [body_with(user="x"), body_with(long, user="x"), body_with(metadata={"a": long})] * 8)
    assert known.find(CALLER.key_id, body_with(long, user="x")) is not None
    assert known.find(CALLER.key_id, body_with(metadata={"a": long})) is None


def test_keys_are_forgotten() -> None:
    """Of more keys than there is room for, those that came last are known."""
    known = RepeatedBodies(kept_bytes_most=20_000)
    for key in range(100):
        parsed(ChatParser(known), [body_with()] * 4, f"key_{key}")
    found = [key for key in range(100) if known.find(f"key_{key}", body_with()) is not None]
    assert 10 < len(found) < 20
    assert found == list(range(100 - len(found), 100))


@pytest.mark.parametrize("times", [100, 1_000])
def test_who_asks_otherwise_each_time_has_little_looked_at(times: int) -> None:
    """Of many different bodies a few are looked at: as many as the number of their number's digits, in binary."""
    known, looked_at = RepeatedBodies(), []

    def read(body: bytes) -> ChatBody:
        looked_at.append(body)
        return msgspec.json.decode(body, type=ChatBody)

    for seed in range(times):
        body = body_with(seed=seed)
        assert known.find("key_1", body) is None
        known.learn("key_1", body, ChatTerms(msgspec.json.decode(body, type=ChatBody)), read)
    assert len(looked_at) <= times.bit_length()


@pytest.mark.parametrize("last", ["hi", "probe\u0001"])
def test_of_two_messages_fields_the_last_counts(last: str) -> None:
    """A body with the field twice is not taken for one whose messages are those of the first."""
    parser = ChatParser(RepeatedBodies())
    twice = b'{"messages":[{"role":"user","content":%b}],"model":"m","messages":[{"role":"user","content":%b}]}'
    told = msgspec.json.encode(last)
    for first in (told, told, told, told, b'"other"'):
        (work,) = parser.parse(twice % (first, told), {}, "chatcmpl-1", CALLER).request.work
        assert work.prompt_bytes() == b'[{"role":"user","content":%b}]' % told
