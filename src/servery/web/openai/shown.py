"""Facts of an answer as OpenAI's dialect shows them."""

from typing import Final

from msgspec import UNSET

from servery.core.digits import digits
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.serving.served import Served
from servery.web.openai.answers import PerfMetrics

PRIORITY: Final = ServingPath.PRIORITY  # looked up for each request; from its class a member comes a good deal slower


def usage_shown(usage: Usage) -> bytes:
    """``prompt_tokens`` includes the cached ones, ``completion_tokens`` those spent on reasoning."""
    return (
        b'{"prompt_tokens":%b,"completion_tokens":%b,"total_tokens":%b,'
        b'"prompt_tokens_details":{"cached_tokens":%b},"completion_tokens_details":{"reasoning_tokens":%b}}'
    ) % (
        digits(usage.prompt_tokens),
        digits(usage.generated_tokens),
        digits(usage.total_tokens),
        digits(usage.cached_prompt_tokens),
        digits(usage.reasoning_tokens),
    )


def perf_metrics(served: Served) -> PerfMetrics:
    return PerfMetrics(
        served.usage.prompt_tokens,
        served.usage.cached_prompt_tokens,
        round(served.report.time_to_first_token_s, 6),
        round(served.report.processing_time_s, 6),
        UNSET if served.report.tokens_per_s is None else round(served.report.tokens_per_s, 3),
    )


def service_tier(path: ServingPath) -> bytes:
    """The tier of a path, as OpenAI's field names it: Fast is a model id, not a tier."""
    return b"priority" if path is PRIORITY else b"default"
