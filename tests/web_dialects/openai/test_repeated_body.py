"""What is not read again is understood as if it were."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.web_dialects.parsers import CALLER, said

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation
from servery.web.openai.chat import READER, ChatParser
from servery.web.openai.chat_body import ChatBody
from servery.web.openai.chat_terms import ChatTerms
from servery.web.openai.repeated_bodies import RepeatedBodies
from servery.web.openai.repeated_body import KEPT_BYTES_MAX, OtherText

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
    """What is asked. It is told, too, where the last message begins."""
    try:
        request = parser.parse(body, {}, "chatcmpl-1", CALLER).request
    except InvalidRequest as refusal:
        return refusal.message, refusal.param
    for work in request.work:
        assert isinstance(work, Generation)
        assert work.messages is not None
        assert work.last_message is not None
        told = msgspec.json.decode(work.messages)
        assert msgspec.json.decode(work.messages[work.last_message : -1]) == told[-1]
    return (said(request),)


@given(some=st.lists(bodies(), min_size=1, max_size=3), order=st.lists(st.integers(0, 2), max_size=12))
def test_nothing_is_understood_otherwise_the_second_time(some: list[bytes], order: list[int]) -> None:
    """Whatever a key has asked before, a body says what it says to a parser that has never seen another."""
    parser = ChatParser()
    for place in order:
        body = some[place % len(some)]
        assert understood(parser, body) == understood(ChatParser(), body)


@given(some=st.lists(MESSAGES, min_size=1, max_size=8), others=st.fixed_dictionaries({}, optional=OTHERS))
@example(some=[[{"role": "user", "content": "hi"}]] * 4, others={"n": 2, "seed": 7})
def test_only_messages_differ(some: list[Any], others: dict[str, Any]) -> None:
    """The same for a client that asks for the same again and again, which the parser comes to know."""
    others.pop("messages", None)
    parser = ChatParser()
    for messages in some:
        body = msgspec.json.encode({"model": "m", "messages": messages, **others})
        assert understood(parser, body) == understood(ChatParser(), body)


TEXTS = st.text(max_size=5) | st.sampled_from(["user", "user", '"', "\\", "probe\u0001"])


@st.composite
def talks(draw: st.DrawFn) -> list[bytes]:
    """Bodies that differ in the content of their last message alone, whose keys come in any order."""
    last = draw(st.permutations([("role", draw(st.sampled_from(["user", "assistant"]))), ("content", "TEXT")]))
    more = draw(st.lists(st.tuples(st.sampled_from(["name", "content", "role"]), TEXTS), max_size=1))
    before = draw(st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": CONTENTS}), max_size=2))
    pairs = b",".join([msgspec.json.encode(key) + b":" + msgspec.json.encode(value) for key, value in [*last, *more]])
    parts = b",".join([*(msgspec.json.encode(message) for message in before), b"{%b}" % pairs])
    whole = b'{"model":"m","messages":[%b],"n":1}' % parts
    return [whole.replace(b'"TEXT"', msgspec.json.encode(text)) for text in draw(st.lists(TEXTS, max_size=3))]


@given(talks())
def test_only_the_last_text_differs(bodies: list[bytes]) -> None:
    """The same for conversations that begin alike, whatever they say, and wherever in their last message."""
    parser = ChatParser()
    for body in [body for body in bodies for _ in range(6)] + bodies:
        assert understood(parser, body) == understood(ChatParser(), body)


def body_with(text: object = "hi", *before: object, **fields: object) -> bytes:
    messages = [*before, {"role": "user", "content": text}]
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


class Known:
    """Bodies that have been asked, of one key unless another is named; counts those that had to be read."""

    def __init__(self, *, kept_bytes_most: int = 1 << 25) -> None:
        self.read: list[bytes] = []
        self._repeated = RepeatedBodies(self._read, kept_bytes_most=kept_bytes_most)

    def _read(self, body: bytes) -> ChatBody:
        self.read.append(body)
        return READER.read(body)

    def asks(self, body: bytes, key_id: str = "key_1") -> bool:
        """Whether it was known."""
        if self._repeated.call(key_id, body, {}, "chatcmpl-1") is not None:
            return True
        self._repeated.missed(key_id, body, ChatTerms(READER.read(body)))
        return False

    def texts(self) -> list[OtherText]:
        return self._repeated._of_keys["key_1"]._texts


def test_a_key_is_known_by_several_ways_of_asking() -> None:
    """Two clients with one key are both known, whatever their messages are."""
    known = Known()
    for body in [body_with("a", n=1), body_with("b", stream=True)] * 8:
        known.asks(body)
    assert known.asks(body_with("other", n=1))
    assert known.asks(body_with("yet another", {"role": "system", "content": "x"}, stream=True))
    assert not known.asks(body_with("other", n=1), "key_2")
    assert not known.asks(body_with("other", n=2))


def test_conversations_that_begin_alike_and_go_on_are_known() -> None:
    """Some differ in the text of their last message alone, and others go on; with or without images before."""
    system = {"role": "system", "content": "be brief"}
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}
    parser, known = ChatParser(), Known()
    for turn in range(50):
        for before in ((system,), (image,), (system, {"role": "user", "content": str(turn)}, image)):
            for text in (str(turn), [{"type": "text", "text": "x"}], "\ud83d\ude00", 'a"b'):
                body = body_with(text, *before, n=1)
                assert understood(parser, body) == understood(ChatParser(), body)
                assert known.asks(body) or turn == 0


def test_of_a_text_that_comes_after_the_same_nothing_else_is_read() -> None:
    """Where only the last message's text differs, that is all that is looked at, in spite of what it says."""
    known = Known()
    for turn in range(4):
        known.asks(body_with(str(turn), n=1))
    (text,) = known.texts()
    for told in ("other", '"}],"n":2}', "\\", "\ud83d\ude00", ""):
        body = body_with(told, n=1)
        assert text.surrounds(body)
        generation = text.generation(body)
        assert generation is not None
        assert generation == ChatTerms(READER.read(body)).generation
    assert text.generation(body_with("x", n=1).replace(b'"x"', b'"x","role":"user"')) is None


def test_what_is_long_is_not_kept() -> None:
    """Beside the messages, a body may be of any length, and only short ones are remembered."""
    known = Known()
    long = "x" * KEPT_BYTES_MAX
    for body in [body_with(user="x"), body_with(long, user="x"), body_with(metadata={"a": long})] * 8:
        known.asks(body)
    assert known.asks(body_with(long, user="x"))
    assert known.asks(body_with("x", {"role": "system", "content": long}, user="x"))
    assert not known.asks(body_with(metadata={"a": long}))


def test_keys_are_forgotten() -> None:
    """Of more keys than there is room for, those that came last are known."""
    known = Known(kept_bytes_most=20_000)
    for key in range(100):
        for _ in range(8):
            known.asks(body_with(), f"key_{key}")
    found = [key for key in reversed(range(100)) if known.asks(body_with(), f"key_{key}")]
    assert 10 < len(found) < 20
    assert found == list(reversed(range(100 - len(found), 100)))


@pytest.mark.parametrize("times", [100, 1_000])
def test_who_asks_otherwise_each_time_has_little_looked_at(times: int) -> None:
    """Of many different bodies a few are looked at: as many as their number has digits, in binary. So it is with
    conversations that differ."""
    for bodies in (
        [body_with(seed=seed) for seed in range(times)],
        [body_with("x", *[{"role": "user", "content": "y"}] * (turn % 9)) for turn in range(times)],
    ):
        known = Known()
        for body in bodies:
            known.asks(body)
        assert 0 < len(known.read) <= 2 * times.bit_length()


@pytest.mark.parametrize("last", ["hi", "probe\u0001"])
def test_of_two_messages_fields_the_last_counts(last: str) -> None:
    """A body with the field twice is not taken for one whose messages are those of the first."""
    parser = ChatParser()
    twice = b'{"messages":[{"role":"user","content":%b}],"model":"m","messages":[{"role":"user","content":%b}]}'
    told = msgspec.json.encode(last)
    for first in (*[told] * 9, b'"other"'):
        (work,) = parser.parse(twice % (first, told), {}, "chatcmpl-1", CALLER).request.work
        assert work.prompt_bytes() == b'[{"role":"user","content":%b}]' % told


@pytest.mark.parametrize("content", ["user", "m", "n", "x"])
@pytest.mark.parametrize("more", [b"", b',"name":"n"', b',"name":"x\\"n"', b',"role":"user"', b',"name":null'])
def test_a_last_text_that_is_no_content(content: str, more: bytes) -> None:
    """What a message ends with may be its role or its name, and say the same as its content."""
    parser = ChatParser()
    for said_last in (*[content] * 9, "other"):
        told = msgspec.json.encode(said_last)
        for message in (b'{"content":%b,"role":"user"%b}', b'{"role":"user","content":%b%b}'):
            body = b'{"model":"m","messages":[%b]}' % (message % (told, more))
            assert understood(parser, body) == understood(ChatParser(), body)
