"""What is sent to an engine: a generation or an embedding in OpenAI's form, or messages in Anthropic's, with the
family's own additions."""

import hashlib
from typing import Any, Final

import msgspec

from servery.core.anthropic_form import AnthropicForm
from servery.core.digits import digits
from servery.core.engine_family import EngineFamily
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation, Work
from servery.core.sampling import Sampling
from servery.core.serving_path import Endpoint, ServingClass
from servery.core.structure import Structure, StructureKind
from servery.engines.cache_place import CachePlace
from servery.engines.call_opening import opened
from servery.engines.family import Traits
from servery.engines.named_tool import NONE, REQUIRED, insists_on_call, named_tool

_encoder: Final = msgspec.json.Encoder()
# Looked up for each request; from its class a member comes a good deal slower.
_LLAMA_CPP: Final = EngineFamily.LLAMA_CPP

# Our name of a sampling field, where it is called otherwise.
_NAMES_OF_LLAMA_CPP: Final = {
    "repetition_penalty": "repeat_penalty",
    "mirostat_target": "mirostat_tau",
    "mirostat_lr": "mirostat_eta",
}

_SAID_BY_EFFORT: Final = frozenset({b'{"enable_thinking":true}', b'{"enable_thinking":false}'})
"""Options of a template that say no more than the effort beside them does."""


def check_honoured(generation: Generation, honours: frozenset[str]) -> None:
    """Raise InvalidRequest naming the first feature that is not among those which the engines honour."""
    asked = [] if generation.sampling.is_within(honours) else list(generation.sampling.given)
    if generation.tools is not None:
        asked.append("tools")
    if generation.reasoning_effort is not None:
        asked.append("reasoning_effort")
    options = generation.template_options
    if options is not None and (generation.reasoning_effort is None or bytes(options) not in _SAID_BY_EFFORT):
        asked.append("chat_template_kwargs")
    if generation.logprobs:
        asked.append("logprobs")
    if generation.echo:
        asked.append("echo")
    if generation.structure is not None:
        asked.append("grammar" if generation.structure.kind is StructureKind.GRAMMAR else "structure")
    if not asked:
        return
    ignored = [name for name in asked if name not in honours]
    if ignored:
        name = min(ignored)
        raise InvalidRequest(f"{name} is not supported by the engine that serves this model", param=name)


def body_start(served_model: str, *, stream: bool, has_messages: bool) -> bytes:
    """How the JSON begins that is posted for any generation: all that is the same in each, up to the value of its
    messages, or without the last brace."""
    start: dict[str, Any] = {"model": served_model, "stream": stream}
    if stream:
        start["stream_options"] = {"include_usage": True}
    begun = _encoder.encode(start)[:-1]
    return begun + b',"messages":' if has_messages else begun


def generation_parts(
    generation: Generation,
    *,
    endpoint: Endpoint,
    family: EngineFamily,
    traits: Traits,
    start: bytes,
    stream: bool,
    place: CachePlace,
    serving_class: ServingClass = ServingClass.STANDARD,
    opening: str = "",
) -> tuple[bytes, bytes, bytes]:
    """The JSON to POST for one sequence, in three pieces. The messages, by far the longest part of most, stand in the
    request as JSON already; they are the second piece, and copied once, into what is sent. ``start`` is its
    ``body_start``. ``opening``: what the answer is made to go on from, see ``call_opening``."""
    body: dict[str, Any] = {}
    if generation.messages is None:
        body["prompt"] = generation.prompt
    if generation.stop:
        body["stop"] = generation.stop
        if family is EngineFamily.LLAMA_CPP:
            body["verbose"] = True  # makes the last event tell which of them was met
    if generation.echo:
        body["echo"] = True
    _add_features(body, generation, endpoint, family, traits)
    _add_place(body, place, stream=stream, traits=traits)
    if traits.earlier_priority and serving_class is not ServingClass.STANDARD:
        is_earlier = serving_class is ServingClass.PRIORITY
        body["priority"] = traits.earlier_priority if is_earlier else -traits.earlier_priority
    sampled = _sampled(body, generation.sampling, family, traits)
    rest = b"," + _encoder.encode(body)[1:-1] if body else b""
    most, messages = generation.max_tokens, generation.messages
    after = b"%b%b}" % (sampled, rest) if most is None else b',"max_tokens":%b%b%b}' % (digits(most), sampled, rest)
    if messages is None:
        return start, b"", after
    if opening:
        messages = opened(messages, opening)
    return start, messages, after


_SAMPLING_OF_MESSAGES: Final = frozenset({"temperature", "top_p", "top_k"})


def form_to_pass(
    work: Work, *, traits: Traits, stream: bool, serving_class: ServingClass = ServingClass.STANDARD
) -> AnthropicForm | None:
    """The client's own form of ``work``, where the engine takes it and nothing is lost: Anthropic's form has no place
    for a priority, nor for sampling by other than its own three fields (which the catalog may prescribe). A whole
    answer whose tool call was cut short is one that vLLM refuses to give in this form."""
    if traits.messages_path is None or isinstance(work, Embedding) or work.anthropic is None:
        return None
    if serving_class is not ServingClass.STANDARD:
        return None
    if work.tools is not None and not stream:
        return None
    return work.anthropic if _SAMPLING_OF_MESSAGES.issuperset(work.sampling.given) else None


def messages_body(
    generation: Generation, form: AnthropicForm, *, traits: Traits, served_model: str, stream: bool, place: CachePlace
) -> bytes:
    """The JSON to POST to the engine's own endpoint for Anthropic's messages."""
    body: dict[str, Any] = {"model": served_model, "stream": stream, "max_tokens": generation.max_tokens}
    body |= _parts_of(form)
    body |= generation.sampling.given
    if generation.stop:
        body["stop_sequences"] = generation.stop
    if generation.template_options is not None:
        body["chat_template_kwargs"] = generation.template_options
    _add_place(body, place, stream=stream, traits=traits)
    return _encoder.encode(body)


def count_body(generation: Generation, form: AnthropicForm, *, served_model: str) -> bytes:
    """The JSON to POST to the engine's own endpoint for counting Anthropic's messages."""
    body: dict[str, Any] = {"model": served_model, **_parts_of(form)}
    if generation.template_options is not None:
        body["chat_template_kwargs"] = generation.template_options
    return _encoder.encode(body)


def _parts_of(form: AnthropicForm) -> dict[str, Any]:
    return {name: part for name in form.__struct_fields__ if (part := getattr(form, name)) is not None}


def embedding_body(embedding: Embedding, *, served_model: str) -> bytes:
    """The JSON to POST for an embeddings call; vectors are always asked for as numbers."""
    body: dict[str, Any] = {"model": served_model, "input": embedding.inputs, "encoding_format": "float"}
    if embedding.dimensions is not None:
        body["dimensions"] = embedding.dimensions
    return _encoder.encode(body)


def tokenize_body(generation: Generation, *, served_model: str) -> bytes:
    """The JSON to POST to vLLM's ``/tokenize``, which counts a prompt of text or messages."""
    body: dict[str, Any] = {"model": served_model}
    if generation.messages is None:
        body["prompt"] = generation.prompt
        return _encoder.encode(body)
    body["messages"] = msgspec.Raw(generation.messages)
    if generation.tools is not None:
        body["tools"] = generation.tools
    if generation.template_options is not None:
        body["chat_template_kwargs"] = generation.template_options
    return _encoder.encode(body)


def _add_features(
    body: dict[str, Any], generation: Generation, endpoint: Endpoint, family: EngineFamily, traits: Traits
) -> None:
    """What most requests ask nothing of."""
    if generation.tools is not None:
        _add_tools(body, generation, generation.tools, family, traits)
    if generation.logprobs:
        _add_logprobs(body, generation, endpoint, family)
    if generation.structure is not None and not (traits.opens_calls and insists_on_call(generation)):
        _add_structure(body, generation.structure, family)  # with both, llama.cpp would forbid the call
    if generation.template_options is not None and "chat_template_kwargs" in traits.honours:
        body["chat_template_kwargs"] = generation.template_options
    if generation.reasoning_effort is not None:
        body["reasoning_effort"] = generation.reasoning_effort


def _add_tools(
    body: dict[str, Any], generation: Generation, tools: msgspec.Raw, family: EngineFamily, traits: Traits
) -> None:
    choice = generation.tool_choice
    if traits.shows_unused_tools and choice is not None and bytes(choice) == NONE:
        return
    body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice
        if family is _LLAMA_CPP and (only := named_tool(tools, choice)) is not None:
            body["tools"], body["tool_choice"] = [only], REQUIRED  # it takes a name for "auto"
    if generation.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = generation.parallel_tool_calls


def _sampled(body: dict[str, Any], sampling: Sampling, family: EngineFamily, traits: Traits) -> bytes:
    """How tokens are drawn, as fields of the JSON object where the engine calls them as we do; else in ``body``."""
    given = sampling.given
    if family is not _LLAMA_CPP and ("top_k" not in given or given["top_k"]):
        return sampling.fields_json
    for name, value in given.items():
        body[_NAMES_OF_LLAMA_CPP.get(name, name) if family is _LLAMA_CPP else name] = value
    if family is _LLAMA_CPP and "mirostat_target" in given:
        body["mirostat"] = 2
    if given.get("top_k") == 0:
        body["top_k"] = traits.top_k_of_all
    return b""


def _add_logprobs(body: dict[str, Any], generation: Generation, endpoint: Endpoint, family: EngineFamily) -> None:
    if endpoint is Endpoint.COMPLETIONS:
        # OpenAI's completions take a number here, and llama.cpp reads no other field; 0 would switch it off there.
        least = 1 if family is EngineFamily.LLAMA_CPP else 0
        body["logprobs"] = max(least, generation.top_logprobs)
    else:
        body["logprobs"] = True
        body["top_logprobs"] = generation.top_logprobs


def _add_structure(body: dict[str, Any], structure: Structure, family: EngineFamily) -> None:
    if structure.kind is StructureKind.GRAMMAR:
        match family:
            case EngineFamily.VLLM:
                body["structured_outputs"] = {"grammar": structure.grammar}
            case EngineFamily.SGLANG:
                body["ebnf"] = structure.grammar
            case EngineFamily.LLAMA_CPP | EngineFamily.OPENAI:
                body["grammar"] = structure.grammar
    elif structure.schema is not None:
        wrapped = {"name": "answer", "schema": structure.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
    else:
        body["response_format"] = {"type": "json_object"}


def _add_place(body: dict[str, Any], place: CachePlace, *, stream: bool, traits: Traits) -> None:
    if place.slot is not None:
        body["id_slot"] = place.slot
        if place.is_emptied:
            body["cache_prompt"] = False
    if place.salt is not None and traits.cache_salt:
        body["cache_salt"] = hashlib.blake2b(place.salt.encode(), digest_size=16).hexdigest()  # vLLM takes no "/"
    if stream and traits.tells_prompt_progress:
        body["return_progress"] = True
