"""Whether an offer can do what a request asks, and what the request leaves to the model."""

import msgspec

from servery.catalog.model import Capability, Model
from servery.catalog.pool import UrlEngine
from servery.core.engine_family import EngineFamily
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation, InferenceRequest
from servery.engines.body import check_honoured
from servery.engines.family import Traits, traits_of
from servery.fleet.replica_pool import ReplicaPool

DEFAULT_MAX_TOKENS = 2_048

# No tokenizer puts more than this into each token of a text that means anything. A prompt beyond it is refused here, so
# that no engine spends seconds on counting the tokens of what it must refuse.
_MOST_BYTES_PER_TOKEN = 64


def pool_traits(pool: ReplicaPool) -> Traits:
    """What the engines of ``pool`` can do."""
    engine = pool.spec.engine
    return traits_of(engine.family if isinstance(engine, UrlEngine) else EngineFamily.LLAMA_CPP)


def fitted(request: InferenceRequest, model: Model, traits: Traits) -> tuple[Generation | Embedding, ...]:
    """The request's work with the model's defaults filled in. Raises InvalidRequest for what would be ignored."""
    return tuple(
        _fitted_embedding(work, traits)
        if isinstance(work, Embedding)
        else _fitted_generation(work, model, traits, truncate=request.truncate_to_context)
        for work in request.work
    )


def _fitted_embedding(work: Embedding, traits: Traits) -> Embedding:
    if work.dimensions is not None and "dimensions" not in traits.honours:
        raise InvalidRequest("dimensions is not supported by the engine that serves this model", param="dimensions")
    return work


def _fitted_generation(work: Generation, model: Model, traits: Traits, *, truncate: bool) -> Generation:
    _check_capabilities(work, model)
    check_honoured(work, traits)
    if not work.has_images and len(work.prompt_bytes()) > model.context_length * _MOST_BYTES_PER_TOKEN:
        raise InvalidRequest(
            f"The prompt is too long: {len(work.prompt_bytes())} bytes,"
            f" model maximum context length: {model.context_length}"
        )
    max_tokens = work.max_tokens or min(DEFAULT_MAX_TOKENS, model.context_length)
    if max_tokens > model.context_length:
        if not truncate:
            raise InvalidRequest(
                f"max_tokens is {max_tokens}, model maximum context length: {model.context_length}",
                param="max_tokens",
            )
        max_tokens = model.context_length
    sampling = {
        name: value if (value := getattr(work.sampling, name)) is not None else getattr(model.sampling, name)
        for name in work.sampling.__struct_fields__
    }
    return msgspec.structs.replace(work, max_tokens=max_tokens, sampling=type(work.sampling)(**sampling))


def _check_capabilities(work: Generation, model: Model) -> None:
    asked = {
        Capability.TOOLS: work.tools is not None,
        Capability.STRUCTURED_OUTPUT: work.structure is not None,
        Capability.IMAGES: work.has_images,
    }
    for capability, wanted in asked.items():
        if wanted and capability not in model.capabilities:
            raise InvalidRequest(f"{model.name} does not offer {capability.value.replace('_', ' ')}")
