"""Passing frames on undecoded must be told apart from decoding them by nobody but a clock."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.shown import frame_of, read_event

from servery.core.errors import EngineBroke
from servery.engines.plain_frames import NEVER
from servery.web.openai.chat_presenter import ChatPresenter
from servery.web.openai.plain_frame import TextKind, learned, plain_text
from servery.web.openai.presentation import Presentation

LLAMA_CPP = (
    '{"choices":[{"finish_reason":null,"index":0,"delta":{"content":%s}}],"created":1,"id":"e","model":"m",'
    '"system_fingerprint":"b0","object":"chat.completion.chunk"}'
)
VLLM = (
    '{"id":"e","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},'
    '"logprobs":null,"finish_reason":null,"token_ids":null}]}'
)
SPACED = '{"choices": [{"index": 0, "delta": {"content": %s, "role": null}, "finish_reason": null}], "created": 1}'
REASONING = '{"choices":[{"index":0,"delta":{"reasoning":%s},"finish_reason":null}],"created":1}'
SHAPES = [LLAMA_CPP, VLLM, SPACED, REASONING]


def presenter() -> ChatPresenter:
    return ChatPresenter(Presentation(request_id="chatcmpl-1", model_json=b'"m"', branches=1))


def event(shape: str, text: str) -> bytes:
    return (shape % msgspec.json.encode(text).decode()).encode()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plain_event_teaches(shape: str) -> None:
    """The bytes around the text are learned from one event of each engine's shape, and match the next."""
    plain = plain_text(read_event(event(shape, "a")) or pytest.fail("read"))
    assert plain is not None
    frame = learned(event(shape, "a"), plain[0], client_head=b"<", client_tail=b">")
    assert frame.translated(event(shape, 'b "c"')) == b'<"b \\"c\\""' + b">"
    assert frame.translated(event(shape, "")) == b'<"">'


@pytest.mark.parametrize("shape", SHAPES)
@given(texts=st.lists(st.text(), min_size=1, max_size=5))
def test_passing_on_equals_decoding(shape: str, texts: list[str]) -> None:
    """A presenter that has learned says, byte for byte, what one says that decodes every event."""
    learning = presenter()
    for text in ["first", "second", *texts]:
        fresh = presenter()
        frame_of(fresh, 0, event(shape, "first"))
        told = frame_of(learning, 0, event(shape, text))
        if text != "first":
            assert told == frame_of(fresh, 0, event(shape, text))


@given(st.sampled_from(SHAPES), st.binary(max_size=60), st.integers(0, 200), st.integers(0, 60))
def test_damaged_events_are_never_passed_on(shape: str, noise: bytes, at: int, cut: int) -> None:
    """Whatever happens to an event's bytes, what reaches the client is a whole frame of valid JSON, or the stream
    breaks."""
    shown = presenter()
    for text in "ab":
        frame_of(shown, 0, event(shape, text))
    damaged = event(shape, "c")[:at] + noise + event(shape, "c")[at + cut :]
    try:
        told = frame_of(shown, 0, damaged)
    except EngineBroke:
        return
    if told:
        assert told.startswith(b"data: {")
        assert told.endswith(b"}\n\n")
        assert b"\n" not in told[:-2]
        decoded: Any = msgspec.json.decode(told[6:])
        assert decoded.keys() == {"id", "object", "created", "model", "choices", "service_tier"}


@pytest.mark.parametrize(
    "between", ['"c","private":"secret"', '"c"}},{"delta":{"content":"d"', "null", '"c" ', "7", ""]
)
def test_only_one_string_stands_between(between: str) -> None:
    """What begins and ends like a plain event but says more, or something else, is decoded."""
    shown = presenter()
    for text in "ab":
        frame_of(shown, 0, event(LLAMA_CPP, text))
    odd = (LLAMA_CPP % between).encode()
    frame = shown._plain[0]._frame
    assert odd.startswith(frame.head[:-1])
    assert odd.endswith(frame.tail[1:])
    assert frame.translated(odd) is None


def test_broken_text_is_not_passed_on() -> None:
    """Bytes that are no UTF-8 break the stream also where events are passed on."""
    shown = presenter()
    for text in "ab":
        frame_of(shown, 0, event(LLAMA_CPP, text))
    with pytest.raises(EngineBroke):
        frame_of(shown, 0, event(LLAMA_CPP, "?").replace(b"?", b"\xff"))


@pytest.mark.parametrize(
    "said",
    [
        '"index":0,"delta":{"content":"a"},"finish_reason":"stop"',
        '"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}',
        '"index":0,"delta":{"content":"a","role":"assistant"}',
        '"index":0,"delta":{"content":"a","reasoning_content":"b"}',
        '"index":0,"delta":{"content":"a","tool_calls":[{"function":{}}]}',
        '"index":0,"delta":{}',
    ],
)
def test_what_says_more_than_a_text_is_not_plain(said: str) -> None:
    """An end, log probabilities, a role, a tool call: such events are decoded."""
    answer = read_event(f'{{"choices":[{{{said}}}]}}'.encode())
    assert answer is not None
    assert plain_text(answer) is None


def test_what_cannot_be_placed_is_not_learned() -> None:
    """Where the text's place is not sure, or the event is long, every event is decoded."""
    twice = b'{"private":{"content":"x"},"choices":[{"index":0,"delta":{"content":"a"}}]}'
    assert learned(twice, TextKind.CONTENT, client_head=b"", client_tail=b"") is NEVER
    long = event(LLAMA_CPP, "a" * 5_000)
    assert learned(long, TextKind.CONTENT, client_head=b"", client_tail=b"") is NEVER
    assert NEVER.translated(b'{"choices":[]}') is None


@pytest.mark.parametrize("shape", SHAPES)
@given(text=st.text())
def test_a_framed_event_is_told_without_its_frame_being_read(shape: str, text: str) -> None:
    """A whole event with its framing gives what the event alone gives, as a chunk of HTTP; other framings, and several
    at once, nothing."""
    shown = presenter()
    show = shown.plain_frames(0).chunk_of
    assert show(b"data: " + event(shape, "a") + b"\n\n") is None
    for learned_from in "ab":
        frame_of(shown, 0, event(shape, learned_from))
    framed = b"data: " + event(shape, text) + b"\n\n"
    chunk = show(framed)
    frame = frame_of(shown, 0, event(shape, text))
    assert chunk == b"%x\r\n%b\r\n" % (len(frame), frame)
    for other in (framed + framed, framed[:-1], framed.replace(b"\n", b"\r\n"), framed[6:], b": ping\n\n" + framed):
        assert show(other) is None


ODD = [
    r'{"x\"content":"a","choices":[{"delta":{"c\u006fntent":"a"}}]}',
    r'{"choices":[{"delta":{"content":"a"},"x":"\"content\":\"a\""}]}',
    r'{"x":"content","choices":[{"delta":{"content":"a"}}]}',
    r'{"content":"a","choices":[{"delta":{"content":"a"}}]}',
    r'{"choices":[{"delta":{"content":"\n"}}]}',
    r'{"choices":[{"delta":{"content":"a"}}],"y":"b"}',
    r'{"choices":[{"delta":{"content" : "a"}}],"y":"content"}',
    r'{"choices":[{"delta":{"content":"a","x":"content:"}}]}',
]


@pytest.mark.parametrize("odd", ODD)
def test_no_other_place_is_taken_for_the_texts(odd: str) -> None:
    """Whatever the keys and strings around it are, an event's like says, when it was learned, what is put there."""
    frame = learned(odd.encode(), TextKind.CONTENT, client_head=b"<", client_tail=b">")
    if frame is not NEVER:
        like = frame.head[:-1] + msgspec.json.encode('other "text"') + frame.tail[1:]
        answer = read_event(like)
        assert answer is not None
        assert plain_text(answer) == (TextKind.CONTENT, 'other "text"')
        assert frame.translated(like) == b"<" + msgspec.json.encode('other "text"') + b">"


def test_most_odd_places_are_learned() -> None:
    """All but those where a name stands that is not the text's."""
    learned_from = [learned(odd.encode(), TextKind.CONTENT, client_head=b"", client_tail=b"") for odd in ODD]
    assert [frame is not NEVER for frame in learned_from] == [False, True, True, False, True, True, True, True]
