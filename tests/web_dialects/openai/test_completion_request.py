"""Requests for completions: prompts, their choices, and what is refused."""

from typing import Any

import msgspec
import pytest
from tests.web_dialects.parsers import parse_completions

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Endpoint


def request(**fields: Any) -> InferenceRequest:
    body = msgspec.json.encode({"model": "m", "prompt": "hi", **fields})
    return parse_completions(body, {}, "chatcmpl-1").request


def prompts(asked: InferenceRequest) -> list[object]:
    return [work.prompt for work in asked.work if isinstance(work, Generation)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("hi", ["hi"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_prompts_of_all_four_kinds(prompt: object, expected: list[object]) -> None:
    """A text, texts, token ids, or lists of them: each prompt is an element of work."""
    asked = request(prompt=prompt)
    assert asked.endpoint is Endpoint.COMPLETIONS
    assert prompts(asked) == expected


def test_choices_of_each_prompt_stand_together() -> None:
    """``n`` choices of the first prompt, then of the second; seeds count up within a prompt."""
    asked = request(prompt=["a", "b"], n=2, seed=5)
    assert prompts(asked) == ["a", "a", "b", "b"]
    assert [work.sampling.seed for work in asked.work if isinstance(work, Generation)] == [5, 6, 5, 6]
    assert asked.choices_per_prompt == 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": ["a", [1]]}, "prompt"),
        ({"prompt": [-1]}, "prompt[0]"),
        ({"prompt": ["a"] * 65, "n": 2}, "prompt"),
        ({"messages": []}, "messages"),
        ({"tools": []}, "tools"),
        ({"best_of": 3}, "best_of"),
        ({"suffix": "x"}, "suffix"),
        ({"images": ["x"]}, "images"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"logprobs": 6}, "logprobs"),
    ],
)
def test_what_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """What completions do not take is a 400 that names the field."""
    with pytest.raises(InvalidRequest) as caught:
        request(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "fields", [{"best_of": 1}, {"suffix": ""}, {"images": []}, {"reasoning_effort": "none"}, {"echo": False}]
)
def test_what_means_off_is_taken(fields: dict[str, Any]) -> None:
    """A field that holds its resting value asks for nothing."""
    assert request(**fields) == request()


def test_log_probabilities_and_echo_reach_the_engine() -> None:
    """A number of log probabilities is how many alternatives; zero is none but the drawn token's own."""
    (two,) = request(logprobs=2, echo=True).work
    (none,) = request(logprobs=0).work
    assert isinstance(two, Generation)
    assert isinstance(none, Generation)
    assert (two.logprobs, two.top_logprobs, two.echo) == (True, 2, True)
    assert (none.logprobs, none.top_logprobs, none.echo) == (True, 0, False)
