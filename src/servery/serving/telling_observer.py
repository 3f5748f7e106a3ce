"""Tells metrics and the log of each request that ended."""

import logging
from typing import Final

from servery.billing.charge import Charge
from servery.core.acyclic import acyclic
from servery.core.serving_path import Outcome, ServingPath
from servery.metering.usage_record import UsageRecord
from servery.telemetry.event_line import EventKind, number_word
from servery.telemetry.gathered_lines import Event
from servery.telemetry.log import event_writer
from servery.telemetry.metrics import Metrics

_ENDED: Final = EventKind(
    "request ended",
    (
        "request_id",
        "account",
        "model",
        "path",
        "outcome",
        "replica",
        "prompt_tokens",
        "cached_prompt_tokens",
        "generated_tokens",
        "nanodollars",
        "queue_wait_ms",
        "total_ms",
    ),
)


class TellingObserver:
    """One event a request. No prompt, no answer, no key is ever told."""

    def __init__(self, metrics: Metrics, logger: logging.Logger) -> None:
        self._metrics = metrics
        self._tell = event_writer(logger, _ENDED)
        self._told: dict[tuple[str, ServingPath], _Told] = {}

    def ended(self, record: UsageRecord, charge: Charge) -> None:
        key = (record.model, record.serving_path)
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _Told(self._metrics, *key)
        told.ended(record, charge)
        if self._tell is not None:
            self._tell(_Ended(record, charge, told.words[record.outcome]))


class _Told:
    """The metrics of one model on one serving path: looked up once, because looking up costs more than counting.
    ``words``: what a line of text says of them, by outcome."""

    def __init__(self, metrics: Metrics, model: str, path: ServingPath) -> None:
        self.words = {one: f"  model={model}  path={path.value}  outcome={one.value}  replica=" for one in Outcome}
        self._outcomes = {one: metrics.requests.labels(model, path.value, one.value) for one in Outcome}
        self._uncached = metrics.tokens.labels(model, path.value, "uncached_prompt")
        self._cached = metrics.tokens.labels(model, path.value, "cached_prompt")
        self._generated = metrics.tokens.labels(model, path.value, "generated")
        self._charged = metrics.charged_nanodollars.labels(model, path.value)
        self._queue_wait = metrics.queue_wait.labels(model, path.value)
        self._first_token = metrics.time_to_first_token.labels(model, path.value)
        self._estimated = metrics.estimated_usage.labels(model)

    def ended(self, record: UsageRecord, charge: Charge) -> None:
        usage = record.usage
        self._outcomes[record.outcome].number += 1
        self._uncached.number += usage.prompt_tokens - usage.cached_prompt_tokens
        self._cached.number += usage.cached_prompt_tokens
        self._generated.number += usage.generated_tokens
        self._charged.number += charge.nanodollars
        self._queue_wait.observe(record.queue_wait_us / 1_000_000)
        if record.time_to_first_token_us is not None:
            self._first_token.observe(record.time_to_first_token_us / 1_000_000)
        if usage.estimated:
            self._estimated.inc()


@acyclic
class _Ended(Event):
    """The end of a request: of the events that are told, the one that comes often."""

    __slots__ = ("_charge", "_record", "_words")

    def __init__(self, record: UsageRecord, charge: Charge, words: str) -> None:
        """``words``: see ``_Told``."""
        super().__init__()
        self._words = words
        self._record = record
        self._charge = charge

    def values(self) -> tuple[object, ...]:
        record = self._record
        usage = record.usage
        return (
            record.request_id,
            record.account,
            record.model,
            record.serving_path._value_,
            record.outcome._value_,
            record.replica,
            usage.prompt_tokens,
            usage.cached_prompt_tokens,
            usage.generated_tokens,
            self._charge.nanodollars,
            record.queue_wait_us // 1_000,
            (record.finished_ns - record.started_ns) // 1_000_000,
        )

    def words(self, kind: EventKind) -> str:
        """Written out, so that no values are gathered for it."""
        record = self._record
        usage = record.usage
        return (
            f"  request_id={record.request_id}  account={record.account}{self._words}{record.replica}"
            f"  prompt_tokens={number_word(usage.prompt_tokens)}"
            f"  cached_prompt_tokens={number_word(usage.cached_prompt_tokens)}"
            f"  generated_tokens={number_word(usage.generated_tokens)}"
            f"  nanodollars={number_word(self._charge.nanodollars)}"
            f"  queue_wait_ms={number_word(record.queue_wait_us // 1_000)}"
            f"  total_ms={number_word((record.finished_ns - record.started_ns) // 1_000_000)}"
        )
