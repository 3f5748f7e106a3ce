"""How many tokens a request will use, guessed without a tokenizer from what engines have reported before."""

from typing import Final

from servery.core.inference import Embedding, InferenceRequest
from servery.core.nearest import nearest
from servery.core.usage import Usage
from servery.limits.estimated import Estimate

_LEARNING_RATE: Final = 0.05
_FIRST_BYTES_PER_TOKEN: Final = 4.0
_FEWEST_BYTES_PER_TOKEN: Final = 1.0
_MOST_BYTES_PER_TOKEN: Final = 16.0
_FIRST_GENERATED_TOKENS: Final = 256.0
_QUANTILE: Final = 0.9
_QUANTILE_STEP: Final = 0.1

REMEMBERED_KEYS: Final = 16_384


class Estimator:
    """Learns, for one model, the bytes of a prompt token, and the length of a long answer of each API key.

    The ratio is an exponentially weighted mean; prompts that are nearly empty, or mostly images, are counted as an
    extreme of text, because the ratio is everybody's. The length follows the 90th percentile by stochastic
    approximation (Robbins and Monro): up by 0.9 steps when an answer was longer, down by 0.1 steps when it was shorter.
    A key begins with the length learned over all keys. Remembers between ``remembered_keys`` and twice as many.
    """

    def __init__(self, *, remembered_keys: int = REMEMBERED_KEYS) -> None:
        self.bytes_per_token = _FIRST_BYTES_PER_TOKEN
        self.generated_tokens = _FIRST_GENERATED_TOKENS
        self._remembered_keys = remembered_keys
        self._recent: dict[str, float] = {}
        self._older: dict[str, float] = {}

    def estimate(
        self, request: InferenceRequest, *, key_id: str, prompt_bytes: int, cached_prompt_tokens: int = 0
    ) -> Estimate:
        """``prompt_bytes``: of all prompts, each counted once. ``cached_prompt_tokens``: how many of their tokens are
        expected to be found in a prompt cache; where nothing is known of that, all of them count as uncached."""
        generated, expected = 0, int(self.generated_tokens_of(key_id))
        for work in request.work:
            if not isinstance(work, Embedding):
                generated += expected if work.max_tokens is None else min(expected, work.max_tokens)
        prompt = max(1, nearest(prompt_bytes / self.bytes_per_token))
        return Estimate(prompt, max(0, prompt - cached_prompt_tokens), generated)

    def generated_tokens_of(self, key_id: str) -> float:
        """The length that nine in ten answers of that key stay below."""
        return self._recent.get(key_id) or self._older.get(key_id) or self.generated_tokens

    def learn(self, usage: Usage, *, key_id: str, prompt_bytes: int, answers: int) -> None:
        """What a request of ``prompt_bytes`` really used. Estimated usage teaches nothing."""
        if usage.estimated or usage.prompt_tokens == 0:
            return
        ratio = min(max(prompt_bytes / usage.prompt_tokens, _FEWEST_BYTES_PER_TOKEN), _MOST_BYTES_PER_TOKEN)
        self.bytes_per_token += _LEARNING_RATE * (ratio - self.bytes_per_token)
        if usage.generated_tokens == 0:
            return  # vectors, which say nothing of how long answers are
        length = usage.generated_tokens / answers
        self._remember(key_id, _nearer(self.generated_tokens_of(key_id), length))
        self.generated_tokens = _nearer(self.generated_tokens, length)

    def _remember(self, key_id: str, generated_tokens: float) -> None:
        """Two generations of keys: when the younger is full, it becomes the older, and that one is forgotten."""
        if key_id not in self._recent and len(self._recent) >= self._remembered_keys:
            self._older, self._recent = self._recent, {}
        self._recent[key_id] = generated_tokens


class Estimators:
    """One estimator for each model."""

    def __init__(self) -> None:
        self._by_model: dict[str, Estimator] = {}

    def of(self, model: str) -> Estimator:
        return self._by_model.get(model) or self._by_model.setdefault(model, Estimator())


def _nearer(quantile: float, length: float) -> float:
    """One step of ``quantile`` towards the 90th percentile of lengths like ``length``."""
    step = _QUANTILE_STEP * quantile if quantile > 1.0 else _QUANTILE_STEP
    nearer = quantile + step * (_QUANTILE if length > quantile else _QUANTILE - 1.0)
    return nearer if nearer > 1.0 else 1.0
