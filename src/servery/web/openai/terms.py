"""What a request for chat or for a completion asks beside its prompt, understood."""

import msgspec

from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.web.openai import asked
from servery.web.openai.attribution import cost_labels, isolation_key, session
from servery.web.openai.presentation import Presentation
from servery.web.openai.request_fields import GenerationFields


class Terms:
    """Of a body's ``fields``, of which nothing is kept. Raises InvalidRequest for what is not supported."""

    __slots__ = (
        "_includes_usage",
        "_isolation_key",
        "_model",
        "_model_json",
        "_perf_metrics",
        "_priority",
        "_session",
        "_stream",
        "_truncates",
        "choices_per_prompt",
        "logprobs",
    )

    def __init__(self, fields: GenerationFields) -> None:
        asked.check(fields)
        self.logprobs = asked.logprobs_asked(fields)
        self.choices_per_prompt = fields.n or 1
        self._includes_usage = fields.stream_options is None or fields.stream_options.include_usage is not False
        self._isolation_key = fields.prompt_cache_isolation_key
        self._model = fields.model
        self._model_json = msgspec.json.encode(fields.model)
        self._perf_metrics = bool(fields.perf_metrics_in_response)
        self._priority = fields.service_tier == "priority"
        self._session = fields.prompt_cache_key or fields.user
        self._stream = bool(fields.stream)
        self._truncates = fields.context_length_exceeded_behavior != "error"

    def choices(self, generation: Generation) -> tuple[Generation, ...]:
        """Those of one prompt: alike but for their seeds, which count up from the one given."""
        choices, seed = self.choices_per_prompt, generation.sampling.seed
        if choices == 1:
            return (generation,)
        if seed is None:
            return (generation,) * choices
        return tuple(
            generation.drawn(generation.sampling.but(seed=asked.nth_seed(seed, choice))) for choice in range(choices)
        )

    def request(
        self, headers: dict[str, str], *, request_id: str, endpoint: Endpoint, work: tuple[Generation, ...]
    ) -> InferenceRequest:
        """What is asked, with ``work`` done. Raises InvalidRequest for an unreasonable header."""
        return InferenceRequest(
            request_id=request_id,
            endpoint=endpoint,
            model=self._model,
            work=work,
            choices_per_prompt=self.choices_per_prompt,
            stream=self._stream,
            priority=self._priority,
            session=session(headers, self._session),
            isolation_key=isolation_key(headers, self._isolation_key),
            truncate_to_context=self._truncates,
            cost_labels=cost_labels(headers),
        )

    def presentation(self, request: InferenceRequest, *, function_calls: bool = False) -> Presentation:
        """How the answer to ``request`` is to be shown."""
        return Presentation(
            request_id=request.request_id,
            model_json=self._model_json,
            branches=len(request.work),
            include_usage=self._includes_usage,
            perf_metrics=self._perf_metrics,
            logprobs=self.logprobs,
            function_calls=function_calls,
        )
