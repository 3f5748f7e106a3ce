"""Usage is known by its form, and what is read of it is what decoding it would tell."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.engines.reported_usage import ReportedUsage
from servery.engines.told_usage import ToldUsage, told_by
from servery.engines.unreadable import UNREADABLE
from servery.engines.usage_forms import UsageForms

COUNTS = st.none() | st.integers(-3, 12) | st.integers(0, 10**11)
DETAILS = st.none() | st.fixed_dictionaries(
    {}, optional={"cached_tokens": COUNTS, "reasoning_tokens": COUNTS, "audio_tokens": COUNTS}
)
OTHER = st.none() | COUNTS | st.floats(0, 10) | st.sampled_from(["a: 7, b", "7", "\\", " 12 }"]) | st.lists(COUNTS)
USAGES = st.fixed_dictionaries(
    {"prompt_tokens": COUNTS},
    optional={
        "completion_tokens": COUNTS,
        "total_tokens": COUNTS,
        "reasoning_tokens": COUNTS,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
        "other 5 ": OTHER,
    },
)
INDENTS = st.none() | st.just(1)


def text_of(usage: dict[str, Any], *, indent: int | None = None) -> bytes:
    return json.dumps(usage, indent=indent, separators=(",", ":") if indent is None else None).encode()


def decoded(text: bytes) -> ToldUsage | str | None:
    try:
        return told_by(msgspec.json.decode(text, type=ReportedUsage))
    except UNREADABLE:
        return "unreadable"


def read(forms: UsageForms, text: bytes) -> ToldUsage | str | None:
    try:
        return forms.read(text)
    except UNREADABLE:
        return "unreadable"


def is_known(forms: UsageForms, text: bytes) -> bool:
    """Whether it would be read without decoding it."""
    return any(form.read(text) is not None for form in forms._forms)


@given(st.lists(USAGES, min_size=1, max_size=6), INDENTS)
def test_usage_is_read_as_it_would_be_decoded(usages: list[dict[str, Any]], indent: int | None) -> None:
    """Whatever was learned before, of whatever form."""
    forms = UsageForms()
    for usage in usages * 2:
        text = text_of(usage, indent=indent)
        assert read(forms, text) == decoded(text)


PUT = st.sampled_from([b"", b'"', b"\\", b"}", b",", b"-", b".5", b"e1", b"0", b"9", b" ", b"\n", b"null", b"1" * 30])


@settings(max_examples=300)
@given(USAGES, USAGES, INDENTS, st.tuples(st.integers(0, 300), st.integers(0, 8), PUT))
def test_what_was_tampered_with_is_read_as_it_would_be_decoded(
    first: dict[str, Any], second: dict[str, Any], indent: int | None, change: tuple[int, int, bytes]
) -> None:
    """With bytes taken out anywhere and others put in, also such as make a number another one, or none."""
    at, taken, put = change
    for said in (first, second):
        forms, text = UsageForms(), text_of(first, indent=indent)
        read(forms, text)
        text = text_of(said, indent=indent)
        place = at % len(text)
        text = text[:place] + put + text[place + taken :]
        assert read(forms, text) == decoded(text)


def engine_usage(prompt: int, generated: int, cached: int) -> bytes:
    details = {"cached_tokens": cached}
    usage = {"prompt_tokens": prompt, "total_tokens": prompt + generated, "completion_tokens": generated}
    return text_of(usage | {"prompt_tokens_details": details, "completion_tokens_details": None})


def test_one_is_enough_to_know_all_of_its_form() -> None:
    """Numbers of any length that a count can have; more digits than that are decoded."""
    forms = UsageForms()
    forms.read(engine_usage(12, 34, 8))
    for prompt, generated in ((0, 0), (7, 1), (100_000, 4_096), (999_999_999, 0)):
        text = engine_usage(prompt, generated, 3)
        assert is_known(forms, text)
        assert forms.read(text) == ToldUsage(prompt, 3, generated, 0)
    assert not is_known(forms, engine_usage(10**9, 1, 3))
    assert forms.read(engine_usage(10**9, 1, 3)) == ToldUsage(10**9, 3, 1, 0)


@pytest.mark.parametrize("number", [b"007", b"", b"-1", b"1.0", b"1e3", b"+1"])
def test_what_is_no_count_is_not_known(number: bytes) -> None:
    """JSON may still allow it; that is for the decoder to say."""
    forms = UsageForms()
    forms.read(engine_usage(12, 34, 8))
    text = engine_usage(12, 34, 8).replace(b'"prompt_tokens":12', b'"prompt_tokens":' + number)
    assert not is_known(forms, text)
    assert read(forms, text) == decoded(text)


def test_a_number_in_a_text_is_no_count() -> None:
    """Though it stands there like one."""
    forms = UsageForms()
    for said in (3, 9):
        text = b'{"note":"\\"prompt_tokens\\": %d, is it","prompt_tokens":%d}' % (said, said + 1)
        assert forms.read(text) == ToldUsage(said + 1, 0, 0, 0)


def test_forms_that_never_come_again_are_learned_less_and_less() -> None:
    """An engine whose usage is never alike costs little more than one that is not learned of."""
    forms = UsageForms()
    learned = 0
    for number in range(2_000):
        text = b'{"prompt_tokens":1,"of_%d":2}' % number
        forms.read(text)
        learned += is_known(forms, text)
    assert 4 < learned < 20
    for _ in range(1_025):
        forms.read(engine_usage(12, 34, 8))
    assert is_known(forms, engine_usage(1, 2, 3))
