"""Whole answers are known by their form, and what is read of them is what decoding them would tell."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.engines.answer_reader import WholeReader
from servery.engines.engine_answer import EngineWhole
from servery.engines.plain_answers import PlainAnswer, PlainAnswers
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE
from servery.engines.whole_answer import WholeAnswer

_wholes = msgspec.json.Decoder(EngineWhole)


SECOND = 1_763_000_000


def usage_of(prompt: int, generated: int) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "total_tokens": prompt + generated, "completion_tokens": generated}


def vllm(text: str, *, reason: str, own_id: str, prompt: int, generated: int, second: int = SECOND) -> dict[str, Any]:
    """As vLLM answers: the id first."""
    message = {"role": "assistant", "content": text, "refusal": None, "tool_calls": [], "reasoning": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason, "stop_reason": None}
    return {
        "id": own_id,
        "object": "chat.completion",
        "created": second,
        "model": "m",
        "choices": [choice],
        "usage": usage_of(prompt, generated) | {"prompt_tokens_details": None},
        "kv_transfer_params": None,
    }


def llama_cpp(
    text: str, *, reason: str, own_id: str, prompt: int, generated: int, second: int = SECOND
) -> dict[str, Any]:
    """As llama.cpp answers, but for the times: the id last."""
    message = {"role": "assistant", "content": text}
    return {
        "choices": [{"finish_reason": reason, "index": 0, "message": message}],
        "created": second,
        "model": "m",
        "object": "chat.completion",
        "usage": usage_of(prompt, generated) | {"prompt_tokens_details": {"cached_tokens": prompt // 2}},
        "id": own_id,
    }


Answer = tuple[str, str, str, int, int, int]
ENGINES = [vllm, llama_cpp]
IDS = st.text("0123456789abcdef", min_size=8, max_size=8)
COUNTS = st.integers(0, 100_000)
SECONDS = st.just(SECOND) | st.integers(1_000_000_000, 9_999_999_999)
ANSWERS = st.tuples(st.text(), st.sampled_from(["stop", "length"]), IDS, COUNTS, COUNTS, SECONDS)


def body_of(engine: Any, answer: Answer, *, indent: int | None = None) -> bytes:
    text, reason, own_id, prompt, generated, second = answer
    said = engine(text, reason=reason, own_id=own_id, prompt=prompt, generated=generated, second=second)
    separators = (",", ":") if indent is None else None
    return json.dumps(said, ensure_ascii=len(text) % 2 == 0, indent=indent, separators=separators).encode()


def agrees(plain: PlainAnswer, body: bytes) -> bool:
    """Whether it is what ``body`` says, and all that it says."""
    whole = _wholes.decode(body)
    assert whole.choices is not None
    (choice,) = whole.choices
    assert choice.message is not None
    for other in (choice.message.tool_calls, choice.message.reasoning, choice.logprobs, whole.error, whole.timings):
        assert not other
    said = (choice.message.content, choice.finish_reason, whole.created, whole.usage)
    return said == (msgspec.json.decode(plain.text_json), plain.finish_reason, plain.created, plain.usage)


def learned(*bodies: bytes) -> PlainAnswers:
    known = PlainAnswers()
    for body in bodies:
        known.learn(body, _wholes.decode(body))
    return known


@pytest.mark.parametrize("engine", ENGINES)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=8), indent=st.none() | st.just(1))
def test_an_answer_of_a_known_form_is_read_as_it_would_be_decoded(
    engine: Any, answers: list[Answer], indent: int | None
) -> None:
    """Whatever the texts, ids and counts are. Once one of each reason to end was learned, all are known."""
    known = learned(
        *(body_of(engine, ("a", reason, "0000000f", 12, 34, SECOND), indent=indent) for reason in ("stop", "length"))
    )
    for answer in answers:
        body = body_of(engine, answer, indent=indent)
        plain = known.read(body)
        assert plain is not None
        assert agrees(plain, body)


PUT = st.sampled_from([b"", b'"', b"\\", b"}", b"]", b",", b'","error":"', b"\xff", b"1", b"null", b"\x00", b"{}"])


@settings(max_examples=200)
@given(st.sampled_from(ENGINES), ANSWERS, ANSWERS, st.tuples(st.integers(0, 2_000), st.integers(0, 12), PUT))
def test_what_was_tampered_with_is_not_misread(
    engine: Any,
    first: Answer,
    second: Answer,
    change: tuple[int, int, bytes],
) -> None:
    """With bytes taken out anywhere and others put in: it is not known, or is read as it would be decoded."""
    known, body = learned(body_of(engine, first)), body_of(engine, second)
    at, taken, put = change
    at %= len(body)
    other = body[:at] + put + body[at + taken :]
    plain = known.read(other)
    if plain is not None:
        assert agrees(plain, other)


CHANGES: list[dict[str, Any]] = [
    {"choices": [{"message": {"content": "a"}, "finish_reason": "tool_calls"}]},
    {"choices": [{"message": {"content": "a", "tool_calls": [{"function": {"name": "f"}}]}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": "a", "reasoning": "b"}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": "a"}, "finish_reason": "stop", "logprobs": {"content": []}}]},
    {"choices": [{"message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "b"}]},
    {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}] * 2},
    {"choices": [{"text": "a", "finish_reason": "stop"}]},
    {"choices": []},
    {"timings": {"prompt_ms": 1.5}},
    {"usage": None},
    {"error": {"message": "no"}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_only_a_text_is_plain(change: dict[str, Any]) -> None:
    """What says anything else that is shown or counted is not learned."""
    said = llama_cpp("a", reason="stop", own_id="b", prompt=1, generated=1) | change
    body = json.dumps(said).encode()
    assert learned(body).read(body) is None


@pytest.mark.parametrize("own_id", ["a", "created", "stop", "m", "chat.completion", 'say \\"a\\"'])
def test_what_looks_alike_is_not_taken_for_something_else(own_id: str) -> None:
    """An id that is a key, or a word of the answer as well: no other answer is misread for it."""
    said = llama_cpp("a", reason="stop", own_id=own_id, prompt=1, generated=1)
    known = learned(json.dumps(said).encode())
    for key in ("choices", "created", "model", "object", "id"):
        other = json.dumps({("error" if one == key else one): value for one, value in said.items()}).encode()
        assert known.read(other) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_that_is_the_id_is_not_taken_for_it(engine: Any) -> None:
    """Nor is the id for the text, in an answer that comes after one where they were the same."""
    known = learned(body_of(engine, ("0000000f", "stop", "0000000f", 1, 1, SECOND)))
    body = body_of(engine, ("0000000a", "stop", "0000000b", 1, 1, SECOND))
    plain = known.read(body)
    assert plain is None or agrees(plain, body)


def test_what_is_of_no_use_is_learned_less_and_less() -> None:
    """An engine whose answers are never alike costs little more than one that is not learned of; one that goes over to
    a form is known again, some time after."""
    known = PlainAnswers()

    def answer(model: str) -> bytes:
        return json.dumps(llama_cpp("a", reason="stop", own_id="b", prompt=1, generated=1) | {"model": model}).encode()

    def is_known(body: bytes) -> bool:
        if known.read(body) is not None:
            return True
        known.learn(body, _wholes.decode(body))
        return False

    assert not any(is_known(answer(f"m{number}")) for number in range(100))
    steady = [is_known(answer("m")) for _ in range(1_024)]
    assert not any(steady[:20])
    assert steady[-1]
    assert steady == sorted(steady)


def read(known: PlainAnswers, body: bytes, *, begun: str = "", most_tokens: int = 1_000) -> tuple[WholeAnswer, Tally]:
    tally = Tally(prompt_tokens_guess=7, most_tokens=most_tokens)
    reader = WholeReader(tally=tally, max_body_bytes=10_000, plain=known, begun=begun)
    reader.feed(body)
    return reader.end(), tally


def test_an_answer_counts_the_same_once_its_form_is_known() -> None:
    """Its usage, whichever way it was read; and whoever wants all of it has it decoded."""
    known, body = PlainAnswers(), body_of(llama_cpp, ("Hi", "stop", "0000000f", 12, 3, SECOND))
    (first, first_tally), (second, second_tally) = read(known, body), read(known, body)
    assert first.plain is None
    assert second.plain is not None
    assert first_tally.usage() == second_tally.usage()
    assert second.read is not None
    assert first.read is not None
    assert second.read.choices == first.read.choices


def test_usage_that_is_no_report_is_none_either_way() -> None:
    """More tokens than can be are not believed for coming in a known form."""
    known, body = PlainAnswers(), body_of(llama_cpp, ("Hi", "stop", "0000000f", 12, 3, SECOND))
    read(known, body)
    _, tally = read(known, body, most_tokens=2)
    assert tally.usage().estimated


def test_the_beginning_that_an_engine_repeats_is_taken_out_of_a_known_form_too() -> None:
    """Then the text is not passed on as it came."""
    known, body = PlainAnswers(), body_of(llama_cpp, ("I am", "stop", "0000000f", 12, 3, SECOND))
    read(known, body)
    answer, _ = read(known, body, begun="I ")
    assert answer.plain is None
    assert answer.read is not None
    assert answer.read.choices is not None
    message = answer.read.choices[0].message
    assert message is not None
    assert message.content == "am"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_nonsense_is_of_no_form(body: bytes) -> None:
    """And is refused as it was before anything was learned."""
    known = learned(body_of(llama_cpp, ("Hi", "stop", "0000000f", 12, 3, SECOND)))
    assert known.read(body) is None
    with pytest.raises(UNREADABLE):
        _wholes.decode(body)
