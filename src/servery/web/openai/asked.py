"""What the fields say that a request for chat and a request for a completion have in common."""

from collections.abc import Mapping
from typing import Final

from servery.core.errors import InvalidRequest
from servery.core.sampling import Sampling
from servery.web.openai.presentation import NO_LOGPROBS, LogprobForm, LogprobsAsked
from servery.web.openai.request_fields import GenerationFields
from servery.web.openai.sampling_fields import SamplingFields

_LEGACY_LOGPROBS_MAX: Final = 5

UNSUPPORTED: Final[Mapping[str, tuple[object, ...]]] = {
    "echo_last": (0,),
    "include_routing_matrix": (False,),
    "moderation": (),
    "prediction": (),
    "prompt_cache_max_len": (),
    "raw_output": (False,),
    "return_token_ids": (False,),
    "sampling_mask": (),
    "speculation": ("", []),
    "store": (False,),
}
"""By name, the values that mean that nothing is asked, beside null."""


def check(fields: GenerationFields) -> None:
    """Raises InvalidRequest for an option of streams that is not supported."""
    if fields.stream_options is not None:
        if not fields.stream:
            raise InvalidRequest("stream_options is allowed only with stream.", param="stream_options")
        for name in ("include_obfuscation", "include_internal_content", "buffer_tokens", "buffer_ms"):
            if getattr(fields.stream_options, name):
                raise InvalidRequest(f"{name} is not supported.", param=f"stream_options.{name}")


def tokens_max(fields: GenerationFields) -> int | None:
    """Raises InvalidRequest when both of its spellings are given."""
    older, newer = fields.max_tokens, fields.max_completion_tokens
    if older is not None and newer is not None:
        raise InvalidRequest("max_tokens and max_completion_tokens exclude each other.", param="max_completion_tokens")
    return newer if older is None else older


def stops(fields: GenerationFields) -> tuple[str, ...]:
    stop = fields.stop
    if isinstance(stop, str):
        return (stop,) if stop else ()
    return tuple(stop) if stop else ()


def logprobs_asked(fields: GenerationFields) -> LogprobsAsked:
    """A bool asks for OpenAI's chat form, a number for the legacy form with as many alternatives. Raises
    InvalidRequest for a number that is out of range, and for ``top_logprobs`` without ``logprobs: true``."""
    logprobs, alternatives = fields.logprobs, fields.top_logprobs
    if logprobs is True:
        return LogprobsAsked(LogprobForm.CONTENT, alternatives or 0)
    if alternatives:
        raise InvalidRequest("top_logprobs needs logprobs: true.", param="top_logprobs")
    if logprobs is None or logprobs is False:
        return NO_LOGPROBS
    if not 0 <= logprobs <= _LEGACY_LOGPROBS_MAX:
        raise InvalidRequest(f"logprobs is true, false, or 0 to {_LEGACY_LOGPROBS_MAX}.", param="logprobs")
    return LogprobsAsked(LogprobForm.LEGACY, logprobs)


def sampling(fields: SamplingFields) -> Sampling:
    """Raises InvalidRequest when ``logit_bias`` names something that is no token id."""
    for token in fields.logit_bias or ():
        if not (token.isascii() and token.isdigit()):
            raise InvalidRequest(f"logit_bias maps token ids to numbers; {token!r} is no id.", param="logit_bias")
    return Sampling(
        temperature=fields.temperature,
        top_p=fields.top_p,
        top_k=None if fields.top_k is None else max(0, fields.top_k),
        min_p=fields.min_p,
        typical_p=fields.typical_p,
        frequency_penalty=fields.frequency_penalty,
        presence_penalty=fields.presence_penalty,
        repetition_penalty=fields.repetition_penalty,
        mirostat_target=fields.mirostat_target,
        mirostat_lr=fields.mirostat_lr,
        logit_bias=fields.logit_bias or None,
        seed=fields.seed,
        ignore_eos=fields.ignore_eos,
        min_tokens=fields.min_tokens or None,
        stop_token_ids=fields.stop_token_ids or None,
    )


def nth_seed(seed: int, choice: int) -> int:
    """The seed of the ``choice``-th answer to one prompt: consecutive, and wrapping around in 64 bits."""
    return (seed + choice + 2**63) % 2**64 - 2**63
