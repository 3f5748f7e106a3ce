"""Guessing tokens without a tokenizer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.inference import Embedding, Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.core.usage import Usage
from servery.core.value import changed
from servery.limits.estimate import Estimator, Estimators
from servery.limits.estimated import Estimate


def asked(*work: Generation | Embedding, choices_per_prompt: int = 1) -> InferenceRequest:
    return InferenceRequest(
        request_id="r",
        endpoint=Endpoint.CHAT,
        model="m",
        work=work,  # type: ignore[arg-type]
        choices_per_prompt=choices_per_prompt,
    )


PROMPT = Generation(messages=b"x" * 400)


def estimated(
    estimator: Estimator, request: InferenceRequest, *, key_id: str = "key", cached_prompt_tokens: int = 0
) -> Estimate:
    prompts = request.work[:: request.choices_per_prompt]
    return estimator.estimate(
        request,
        key_id=key_id,
        prompt_bytes=sum(len(work.prompt_bytes()) for work in prompts),
        cached_prompt_tokens=cached_prompt_tokens,
    )


def test_a_prompt_counts_once_and_each_answer_for_itself() -> None:
    """Three choices of one prompt; an answer is no longer than it may be."""
    estimator = Estimator()
    assert estimated(estimator, asked(PROMPT)) == Estimate(100, 100, 256)
    short = changed(PROMPT, max_tokens=10)
    assert estimated(estimator, asked(short, short, short, choices_per_prompt=3)) == Estimate(100, 100, 30)
    assert estimated(estimator, asked(short, short, short)) == Estimate(300, 300, 30)


def test_an_embedding_generates_nothing() -> None:
    """Its inputs are its prompt."""
    assert estimated(Estimator(), asked(Embedding(inputs=("x" * 396,)))) == Estimate(100, 100, 0)


def test_the_bytes_of_a_token_are_learned() -> None:
    """From what engines report, model by model."""
    estimators = Estimators()
    for _ in range(200):
        estimators.of("m").learn(Usage(200, 0, 5), key_id="key", prompt_bytes=400, answers=1)
    assert estimators.of("m").bytes_per_token == pytest.approx(2.0, rel=0.01)
    assert estimators.of("other").bytes_per_token == 4.0


def test_the_length_of_a_long_answer_is_learned() -> None:
    """About nine in ten answers are no longer than it."""
    estimator = Estimator()
    lengths = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100] * 60
    for length in lengths:
        estimator.learn(Usage(10, 0, length), key_id="key", prompt_bytes=40, answers=1)
    assert 70 <= estimator.generated_tokens <= 125


def test_each_key_has_answers_of_its_own_length() -> None:
    """Learned apart; a key that is new begins with what is known of all."""
    estimator = Estimator()
    for _ in range(300):
        estimator.learn(Usage(10, 0, 20), key_id="short", prompt_bytes=40, answers=1)
        estimator.learn(Usage(10, 0, 2_000), key_id="long", prompt_bytes=40, answers=1)
    assert estimated(estimator, asked(PROMPT), key_id="short").generated_tokens <= 30
    assert estimated(estimator, asked(PROMPT), key_id="long").generated_tokens >= 1_500
    of_all = int(estimator.generated_tokens)
    assert estimated(estimator, asked(PROMPT), key_id="new").generated_tokens == of_all


def test_what_is_expected_in_a_cache_is_not_uncached() -> None:
    """However much that is."""
    assert estimated(Estimator(), asked(PROMPT), cached_prompt_tokens=70) == Estimate(100, 30, 256)
    assert estimated(Estimator(), asked(PROMPT), cached_prompt_tokens=700) == Estimate(100, 0, 256)


def test_only_so_many_keys_are_remembered() -> None:
    """Those that were used last among them."""
    estimator = Estimator(remembered_keys=10)
    for number in range(1_000):
        estimator.learn(Usage(10, 0, 5_000), key_id="busy", prompt_bytes=40, answers=1)
        estimator.learn(Usage(10, 0, 5), key_id=f"key-{number}", prompt_bytes=40, answers=1)
    assert len(estimator._recent) + len(estimator._older) <= 20
    assert estimator.generated_tokens_of("busy") > 4_000


def test_what_is_estimated_teaches_nothing() -> None:
    """Nor does a usage without a prompt."""
    estimator = Estimator()
    estimator.learn(Usage(1, 0, 9_999, estimated=True), key_id="key", prompt_bytes=400, answers=1)
    estimator.learn(Usage(0, 0, 9_999), key_id="key", prompt_bytes=400, answers=1)
    assert (estimator.bytes_per_token, estimator.generated_tokens) == (4.0, 256.0)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 10_000), st.integers(0, 10_000)), max_size=200))
def test_no_history_makes_a_senseless_estimate(history: list[tuple[int, int, int]]) -> None:
    """Whatever tenants send, a prompt counts at most a token for each byte, and at least a token for 16."""
    estimator = Estimator()
    for prompt_bytes, prompt_tokens, generated in history:
        estimator.learn(Usage(prompt_tokens, 0, generated), key_id="key", prompt_bytes=prompt_bytes, answers=1)
    estimate = estimated(estimator, asked(PROMPT))
    assert 400 / 16 <= estimate.prompt_tokens <= 400
    assert estimate.generated_tokens >= 1
