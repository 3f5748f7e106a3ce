"""How many tokens a request will use, guessed without a tokenizer from what engines have reported before."""

import msgspec

from servery.core.inference import Embedding, InferenceRequest
from servery.core.usage import Usage

_LEARNING_RATE = 0.05
_FIRST_BYTES_PER_TOKEN = 4.0
_FEWEST_BYTES_PER_TOKEN = 1.0
_MOST_BYTES_PER_TOKEN = 16.0
_FIRST_GENERATED_TOKENS = 256.0
_QUANTILE = 0.9
_QUANTILE_STEP = 0.1


class Estimate(msgspec.Struct, frozen=True):
    """Tokens that a request is expected to use."""

    prompt_tokens: int
    uncached_prompt_tokens: int
    generated_tokens: int


class Estimator:
    """Learns, for one model, the bytes of a prompt token and the length of a long answer.

    The ratio is an exponentially weighted mean; prompts that are nearly empty, or mostly images, are counted as an
    extreme of text, because the ratio is everybody's. The length follows the 90th percentile by stochastic
    approximation (Robbins and Monro): up by 0.9 steps when an answer was longer, down by 0.1 steps when it was shorter.
    """

    def __init__(self) -> None:
        self.bytes_per_token = _FIRST_BYTES_PER_TOKEN
        self.generated_tokens = _FIRST_GENERATED_TOKENS

    def estimate(self, request: InferenceRequest, *, prompt_bytes: int) -> Estimate:
        """``prompt_bytes``: of all prompts, each counted once. Nothing is known yet of the prompt cache, so all of it
        counts as uncached."""
        generated = 0
        for work in request.work:
            if not isinstance(work, Embedding):
                expected = int(self.generated_tokens)
                generated += expected if work.max_tokens is None else min(expected, work.max_tokens)
        prompt = max(1, round(prompt_bytes / self.bytes_per_token))
        return Estimate(prompt, prompt, generated)

    def learn(self, usage: Usage, *, prompt_bytes: int, answers: int) -> None:
        """What a request of ``prompt_bytes`` really used. Estimated usage teaches nothing."""
        if usage.estimated or usage.prompt_tokens == 0:
            return
        ratio = min(max(prompt_bytes / usage.prompt_tokens, _FEWEST_BYTES_PER_TOKEN), _MOST_BYTES_PER_TOKEN)
        self.bytes_per_token += _LEARNING_RATE * (ratio - self.bytes_per_token)
        if usage.generated_tokens == 0:
            return  # vectors, which say nothing of how long answers are
        length = usage.generated_tokens / answers
        step = _QUANTILE_STEP * max(self.generated_tokens, 1.0)
        self.generated_tokens += step * (_QUANTILE if length > self.generated_tokens else _QUANTILE - 1.0)
        self.generated_tokens = max(1.0, self.generated_tokens)


class Estimators:
    """One estimator for each model."""

    def __init__(self) -> None:
        self._by_model: dict[str, Estimator] = {}

    def of(self, model: str) -> Estimator:
        return self._by_model.setdefault(model, Estimator())
