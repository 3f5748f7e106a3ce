"""A request for inference as the rest of the house sees it: typed once at the edge, free of any client's dialect."""

import msgspec

from servery.core.acyclic import acyclic
from servery.core.anthropic_form import AnthropicForm
from servery.core.sampling import NOTHING_PRESCRIBED, Sampling
from servery.core.serving_path import Endpoint
from servery.core.structure import Structure
from servery.core.value import Value


@acyclic
class Generation(Value):
    """One sequence asked of an engine: exactly one of ``messages`` (a JSON array in OpenAI's form, validated) and
    ``prompt`` (text or token ids) is set. ``tools`` and ``tool_choice`` are JSON in OpenAI's form. ``anthropic`` is the
    same once more as a client of Anthropic's API wrote it, where that form says all that this one does.

    ``max_tokens`` None means: whatever fits the model's context. ``top_logprobs`` is read only with ``logprobs``.
    ``template_options`` (a JSON object) goes to the model's chat template, such as ``{"enable_thinking": false}``.
    ``last_message`` is where in ``messages`` the last of them begins, where whoever wrote them has told.
    """

    FIELDS = (
        "messages",
        "prompt",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "structure",
        "max_tokens",
        "stop",
        "logprobs",
        "top_logprobs",
        "echo",
        "sampling",
        "template_options",
        "reasoning_effort",
        "has_images",
        "anthropic",
    )
    __slots__ = (*FIELDS, "last_message")

    def __init__(
        self,
        *,
        messages: bytes | None = None,
        prompt: str | list[int] | None = None,
        tools: msgspec.Raw | None = None,
        tool_choice: msgspec.Raw | None = None,
        parallel_tool_calls: bool | None = None,
        structure: Structure | None = None,
        max_tokens: int | None = None,
        stop: tuple[str, ...] = (),
        logprobs: bool = False,
        top_logprobs: int = 0,
        echo: bool = False,
        sampling: Sampling = NOTHING_PRESCRIBED,
        template_options: msgspec.Raw | None = None,
        reasoning_effort: str | None = None,
        has_images: bool = False,
        anthropic: AnthropicForm | None = None,
        last_message: int | None = None,
    ) -> None:
        self.messages = messages
        self.prompt = prompt
        self.tools = tools
        self.tool_choice = tool_choice
        self.parallel_tool_calls = parallel_tool_calls
        self.structure = structure
        self.max_tokens = max_tokens
        self.stop = stop
        self.logprobs = logprobs
        self.top_logprobs = top_logprobs
        self.echo = echo
        self.sampling = sampling
        self.template_options = template_options
        self.reasoning_effort = reasoning_effort
        self.has_images = has_images
        self.anthropic = anthropic
        self.last_message = last_message

    def told(self, messages: bytes, *, last_message: int | None, has_images: bool) -> "Generation":
        """The same asked of other messages."""
        return self._but(
            messages=messages,
            last_message=last_message,
            has_images=has_images,
            max_tokens=self.max_tokens,
            sampling=self.sampling,
        )

    def fitted(self, *, max_tokens: int, sampling: Sampling) -> "Generation":
        """The same with so many tokens at most, drawn so; no more are asked for at least."""
        least = sampling.min_tokens
        if least is not None and least > max_tokens:
            sampling = sampling.but(min_tokens=max_tokens)
        return self._but(
            messages=self.messages,
            last_message=self.last_message,
            has_images=self.has_images,
            max_tokens=max_tokens,
            sampling=sampling,
        )

    def drawn(self, sampling: Sampling) -> "Generation":
        """The same drawn otherwise."""
        return self._but(
            messages=self.messages,
            last_message=self.last_message,
            has_images=self.has_images,
            max_tokens=self.max_tokens,
            sampling=sampling,
        )

    def _but(
        self,
        *,
        messages: bytes | None,
        last_message: int | None,
        has_images: bool,
        max_tokens: int | None,
        sampling: Sampling,
    ) -> "Generation":
        """What ``changed`` does, which takes far longer."""
        return Generation(
            messages=messages,
            prompt=self.prompt,
            tools=self.tools,
            tool_choice=self.tool_choice,
            parallel_tool_calls=self.parallel_tool_calls,
            structure=self.structure,
            max_tokens=max_tokens,
            stop=self.stop,
            logprobs=self.logprobs,
            top_logprobs=self.top_logprobs,
            echo=self.echo,
            sampling=sampling,
            template_options=self.template_options,
            reasoning_effort=self.reasoning_effort,
            has_images=has_images,
            anthropic=self.anthropic,
            last_message=last_message,
        )

    def prompt_bytes(self) -> bytes:
        """The prompt in the order in which a chat template renders it: tools, then messages. What a replica's
        prompt cache holds is inferred from prefixes of this."""
        if self.messages is not None:
            return self.messages if self.tools is None else bytes(self.tools) + self.messages
        assert self.prompt is not None, "a generation has messages or a prompt"
        return self.prompt.encode() if isinstance(self.prompt, str) else msgspec.json.encode(self.prompt)


class Embedding(Value):
    """Texts (or lists of token ids) to turn into vectors, in one engine call. ``dimensions`` None: the model's own."""

    FIELDS = ("inputs", "dimensions")
    __slots__ = FIELDS

    def __init__(self, *, inputs: tuple[str, ...] | tuple[tuple[int, ...], ...], dimensions: int | None = None) -> None:
        self.inputs = inputs
        self.dimensions = dimensions

    def prompt_bytes(self) -> bytes:
        return msgspec.json.encode(self.inputs)


Work = Generation | Embedding
"""What one engine call is to do."""


@acyclic
class InferenceRequest(Value):
    """One call of a tenant, parsed. Each element of ``work`` becomes one engine call and one choice of the answer
    (``n`` choices of each prompt in order); embeddings are always a single element.

    ``choices_per_prompt`` consecutive elements of ``work`` share a prompt, which is counted and charged once.
    ``session`` pins related requests to a replica; ``isolation_key`` separates prompt-cache entries within an account.
    ``cost_labels`` are the attribution labels team, project, environment that the caller gave.
    """

    FIELDS = (
        "request_id",
        "endpoint",
        "model",
        "work",
        "choices_per_prompt",
        "stream",
        "priority",
        "session",
        "isolation_key",
        "truncate_to_context",
        "cost_labels",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        request_id: str,
        endpoint: Endpoint,
        model: str,
        work: tuple[Work, ...],
        choices_per_prompt: int = 1,
        stream: bool = False,
        priority: bool = False,
        session: str | None = None,
        isolation_key: str | None = None,
        truncate_to_context: bool = True,
        cost_labels: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.request_id = request_id
        self.endpoint = endpoint
        self.model = model
        self.work = work
        self.choices_per_prompt = choices_per_prompt
        self.stream = stream
        self.priority = priority
        self.session = session
        self.isolation_key = isolation_key
        self.truncate_to_context = truncate_to_context
        self.cost_labels = cost_labels


@acyclic
class EngineReport(Value):
    """What one request met on its way, told to the client in headers and, when asked for, in the body. Times in
    seconds; ``time_to_first_token_s`` counts from the whole request's arrival, queue included. ``tokens_per_s`` are
    generated, from the first to the last; None where that says nothing."""

    FIELDS = ("replica", "queue_wait_s", "time_to_first_token_s", "processing_time_s", "tokens_per_s")
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        replica: str,
        queue_wait_s: float,
        time_to_first_token_s: float,
        processing_time_s: float,
        tokens_per_s: float | None = None,
    ) -> None:
        self.replica = replica
        self.queue_wait_s = queue_wait_s
        self.time_to_first_token_s = time_to_first_token_s
        self.processing_time_s = processing_time_s
        self.tokens_per_s = tokens_per_s
