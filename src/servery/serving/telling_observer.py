"""Tells metrics and the log of each request that ended."""

import logging

from servery.billing.rating import Charge
from servery.metering.usage_record import UsageRecord
from servery.telemetry.metrics import Metrics


class TellingObserver:
    """One event a request. No prompt, no answer, no key is ever told."""

    def __init__(self, metrics: Metrics, logger: logging.Logger) -> None:
        self._metrics = metrics
        self._logger = logger

    def ended(self, record: UsageRecord, charge: Charge) -> None:
        metrics, usage = self._metrics, record.usage
        model, path = record.model, record.serving_path.value
        metrics.requests.labels(model, path, record.outcome.value).inc()
        metrics.tokens.labels(model, path, "uncached_prompt").inc(usage.uncached_prompt_tokens)
        metrics.tokens.labels(model, path, "cached_prompt").inc(usage.cached_prompt_tokens)
        metrics.tokens.labels(model, path, "generated").inc(usage.generated_tokens)
        metrics.charged_nanodollars.labels(model, path).inc(charge.nanodollars)
        metrics.queue_wait.labels(model, path).observe(record.queue_wait_us / 1_000_000)
        if record.time_to_first_token_us is not None:
            metrics.time_to_first_token.labels(model, path).observe(record.time_to_first_token_us / 1_000_000)
        if usage.estimated:
            metrics.estimated_usage.labels(model).inc()
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info("request ended", extra={"fields": _fields(record, charge)})


def _fields(record: UsageRecord, charge: Charge) -> dict[str, object]:
    return {
        "request_id": record.request_id,
        "account": record.account,
        "model": record.model,
        "path": record.serving_path.value,
        "outcome": record.outcome.value,
        "replica": record.replica,
        "prompt_tokens": record.usage.prompt_tokens,
        "cached_prompt_tokens": record.usage.cached_prompt_tokens,
        "generated_tokens": record.usage.generated_tokens,
        "nanodollars": charge.nanodollars,
        "queue_wait_ms": record.queue_wait_us // 1_000,
        "total_ms": (record.finished_ns - record.started_ns) // 1_000_000,
    }
