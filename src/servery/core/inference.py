"""A request for inference as the rest of the house sees it: typed once at the edge, free of any client's dialect."""

from enum import StrEnum

import msgspec

from servery.core.serving_path import Endpoint


class StructureKind(StrEnum):
    """The ways in which an answer's form can be prescribed."""

    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    GRAMMAR = "grammar"


class Structure(msgspec.Struct, frozen=True):
    """The prescribed form of an answer: a JSON schema (as JSON text) or a GBNF grammar, or just any JSON object."""

    kind: StructureKind
    schema: msgspec.Raw | None = None
    grammar: str | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How tokens are drawn. None means: as the catalog's model says, else as the engine does by itself."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    mirostat_target: float | None = None
    mirostat_lr: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    ignore_eos: bool | None = None

    def given(self) -> dict[str, object]:
        """The fields that are set, by name."""
        given: dict[str, object] = msgspec.to_builtins(self)  # leaves out what is None, as ``omit_defaults`` says
        return given


class AnthropicForm(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in Anthropic's form, as JSON, for engines that speak it. Parts that the client left out are None.

    What every form has (length, stop texts, sampling) stands in the generation; what only the gateway reads (tier,
    metadata) is left out.
    """

    messages: msgspec.Raw
    system: msgspec.Raw | None = None
    tools: msgspec.Raw | None = None
    tool_choice: msgspec.Raw | None = None
    thinking: msgspec.Raw | None = None
    output_config: msgspec.Raw | None = None


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One sequence asked of an engine: exactly one of ``messages`` (a JSON array in OpenAI's form, validated) and
    ``prompt`` (text or token ids) is set. ``tools`` and ``tool_choice`` are JSON in OpenAI's form. ``anthropic`` is the
    same once more as a client of Anthropic's API wrote it, where that form says all that this one does.

    ``max_tokens`` None means: whatever fits the model's context. ``top_logprobs`` is read only with ``logprobs``.
    ``template_options`` (a JSON object) goes to the model's chat template, such as ``{"enable_thinking": false}``.
    """

    messages: msgspec.Raw | None = None
    prompt: str | list[int] | None = None
    tools: msgspec.Raw | None = None
    tool_choice: msgspec.Raw | None = None
    parallel_tool_calls: bool | None = None
    structure: Structure | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    echo: bool = False
    sampling: Sampling = Sampling()
    template_options: msgspec.Raw | None = None
    reasoning_effort: str | None = None
    has_images: bool = False
    anthropic: AnthropicForm | None = None

    def prompt_bytes(self) -> bytes:
        """The prompt in the order in which a chat template renders it: tools, then messages. What a replica's
        prompt cache holds is inferred from prefixes of this."""
        if self.messages is not None:
            return bytes(self.tools or b"") + bytes(self.messages)
        assert self.prompt is not None, "a generation has messages or a prompt"
        return self.prompt.encode() if isinstance(self.prompt, str) else msgspec.json.encode(self.prompt)


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """Texts (or lists of token ids) to turn into vectors, in one engine call. ``dimensions`` None: the model's own."""

    inputs: tuple[str, ...] | tuple[tuple[int, ...], ...]
    dimensions: int | None = None

    def prompt_bytes(self) -> bytes:
        return msgspec.json.encode(self.inputs)


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tenant, parsed. Each element of ``work`` becomes one engine call and one choice of the answer
    (``n`` choices of each prompt in order); embeddings are always a single element.

    ``choices_per_prompt`` consecutive elements of ``work`` share a prompt, which is counted and charged once.
    ``session`` pins related requests to a replica; ``isolation_key`` separates prompt-cache entries within an account.
    ``cost_labels`` are the attribution labels team, project, environment that the caller gave.
    """

    request_id: str
    endpoint: Endpoint
    model: str
    work: tuple[Generation, ...] | tuple[Embedding]
    choices_per_prompt: int = 1
    stream: bool = False
    priority: bool = False
    session: str | None = None
    isolation_key: str | None = None
    truncate_to_context: bool = True
    cost_labels: tuple[tuple[str, str], ...] = ()


class EngineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one request met on its way, told to the client in headers and, when asked for, in the body. Times in
    seconds; ``time_to_first_token_s`` counts from the whole request's arrival, queue included. ``tokens_per_s`` are
    generated, from the first to the last; None where that says nothing."""

    replica: str
    queue_wait_s: float
    time_to_first_token_s: float
    processing_time_s: float
    tokens_per_s: float | None = None
