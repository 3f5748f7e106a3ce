"""Whether an offer can do what a request asks, and what the request leaves to the model."""

from typing import Final

from servery.catalog.model import Capability
from servery.catalog.offer import Offer
from servery.core.errors import InvalidRequest
from servery.core.inference import Embedding, Generation, InferenceRequest, Work
from servery.core.sampling import Sampling
from servery.engines.body import check_honoured

DEFAULT_MAX_TOKENS: Final = 2_048

# No tokenizer puts more than this into each token of a text that means anything. A prompt beyond it is refused here, so
# that no engine spends seconds on counting the tokens of what it must refuse.
_MOST_BYTES_PER_TOKEN: Final = 64


def fitted(
    request: InferenceRequest, offer: Offer, honours: frozenset[str], *, prompts: list[bytes]
) -> tuple[Work, ...]:
    """The request's work with the model's defaults filled in; ``honours`` are the optional features that the engines
    have, ``prompts`` the request's prompts as bytes. Raises InvalidRequest for what would be ignored or cannot fit."""
    _check_lengths(request, offer.context_length, prompts)
    if len(request.work) == 1:
        return (_fitted(request.work[0], request, offer, honours),)
    return tuple([_fitted(work, request, offer, honours) for work in request.work])


def _fitted(work: Work, request: InferenceRequest, offer: Offer, honours: frozenset[str]) -> Work:
    if isinstance(work, Embedding):
        return _fitted_embedding(work, honours)
    return _fitted_generation(work, offer, honours, truncate=request.truncate_to_context)


def _fitted_embedding(work: Embedding, honours: frozenset[str]) -> Embedding:
    if work.dimensions is not None and "dimensions" not in honours:
        raise InvalidRequest("dimensions is not supported by the engine that serves this model", param="dimensions")
    return work


def _fitted_generation(work: Generation, offer: Offer, honours: frozenset[str], *, truncate: bool) -> Generation:
    _check_capabilities(work, offer)
    asked, context_length = work.max_tokens, offer.context_length
    max_tokens = asked or min(DEFAULT_MAX_TOKENS, context_length)
    least = work.sampling.min_tokens
    if least is not None:
        work = _with_least(work, least, honours, most=max_tokens)
    check_honoured(work, honours)
    if max_tokens > context_length:
        if not truncate:
            raise InvalidRequest(
                f"max_tokens is {max_tokens}, model maximum context length: {context_length}",
                param="max_tokens",
            )
        max_tokens = context_length
    sampling = work.sampling
    if offer.prescribed:
        sampling = Sampling(**{**offer.prescribed, **sampling.given})
    if asked is not None and max_tokens == asked and sampling is work.sampling:
        return work
    return work.fitted(max_tokens=max_tokens, sampling=sampling)


def _with_least(work: Generation, least: int, honours: frozenset[str], *, most: int) -> Generation:
    """An answer of at least ``least`` tokens. Where that is also the most there may be, and no word ends it sooner, it
    is the same as an answer that no end-of-sequence token ends, which more engines know."""
    if least > most:
        raise InvalidRequest(f"min_tokens is {least}, and max_tokens is {most}", param="min_tokens")
    if "min_tokens" in honours or least < most or work.stop or work.structure is not None or work.tools is not None:
        return work
    sampling = work.sampling.but(min_tokens=None, ignore_eos=True)
    return work.fitted(max_tokens=most, sampling=sampling)


def _check_lengths(request: InferenceRequest, context_length: int, prompts: list[bytes]) -> None:
    longest = context_length * _MOST_BYTES_PER_TOKEN
    if all(len(prompt) <= longest for prompt in prompts):
        return
    for work, prompt in zip(request.work, prompts, strict=True):
        if isinstance(work, Generation) and len(prompt) > longest and not work.has_images:
            raise InvalidRequest(
                f"The prompt is too long: {len(prompt)} bytes, model maximum context length: {context_length}"
            )


def _check_capabilities(work: Generation, offer: Offer) -> None:
    if work.tools is None and work.structure is None and not work.has_images:
        return
    asked = {
        Capability.TOOLS: work.tools is not None,
        Capability.STRUCTURED_OUTPUT: work.structure is not None,
        Capability.IMAGES: work.has_images,
    }
    for capability, wanted in asked.items():
        if wanted and capability not in offer.model.capabilities:
            raise InvalidRequest(f"{offer.model_name} does not offer {capability.value.replace('_', ' ')}")
