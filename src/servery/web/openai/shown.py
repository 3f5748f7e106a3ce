"""Facts of an answer as OpenAI's dialect shows them."""

from typing import Final

from msgspec import UNSET

from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.openai.answers import CompletionTokensDetails, PerfMetrics, PromptTokensDetails, UsageShown

PRIORITY: Final = ServingPath.PRIORITY  # looked up for each request; from its class a member comes a good deal slower


def usage_shown(served: Served) -> UsageShown:
    usage = served.usage
    return UsageShown(
        usage.prompt_tokens,
        usage.generated_tokens,
        usage.total_tokens,
        PromptTokensDetails(usage.cached_prompt_tokens),
        CompletionTokensDetails(usage.reasoning_tokens),
    )


def perf_metrics(served: Served) -> PerfMetrics:
    return PerfMetrics(
        served.usage.prompt_tokens,
        served.usage.cached_prompt_tokens,
        round(served.report.time_to_first_token_s, 6),
        round(served.report.processing_time_s, 6),
        UNSET if served.report.tokens_per_s is None else round(served.report.tokens_per_s, 3),
    )


def service_tier(path: ServingPath) -> str:
    """The tier of a path, as OpenAI's field names it: Fast is a model id, not a tier."""
    return "priority" if path is PRIORITY else "default"
