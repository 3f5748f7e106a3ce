"""Limits: estimate, reserve, settle, release, learn."""

from collections.abc import Callable
from contextlib import suppress

from benchmarks.decisions.row import EVERY_KIND, Row, microseconds
from servery.catalog.token_limits import TokenLimits
from servery.core.clock import ManualClock, SystemClock
from servery.core.errors import LimitExceeded
from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.core.usage import Usage
from servery.limits.estimate import Estimator
from servery.limits.estimated import Estimate
from servery.limits.limiter import Limiter
from servery.limits.rules import AdaptationRules, LimitRules

PROMPT_BYTES = 32_000
_MODEL = "accounts/servery/models/m"
_AMPLE = TokenLimits(
    prompt_tokens_per_minute=10**13, uncached_prompt_tokens_per_minute=10**13, generated_tokens_per_minute=10**13
)
_RULES = LimitRules(adaptation=AdaptationRules(start=_AMPLE), requests_per_minute=10**12)
_ESTIMATE = Estimate(8_000, 2_000, 256)
_USAGE = Usage(8_010, 6_100, 210)


def rows() -> list[Row]:
    grown = [
        Row(
            part="limits",
            what=f"reserve, settle, release; {accounts:,} accounts in turn",
            us=microseconds(_grants(accounts), decisions=max(accounts, 1_000)),
            asked_by=EVERY_KIND if accounts == 1_000 else frozenset(),
        )
        for accounts in (1, 1_000, 100_000)
    ]
    return [
        *grown,
        Row(part="limits", what="the same, with headers' reading", us=microseconds(_read(), decisions=1_000)),
        Row(part="limits", what="a refusal, its message included", us=microseconds(_refusals(), decisions=1_000)),
        Row(
            part="limits",
            what="estimate and learn, 1,000 keys",
            us=microseconds(_estimates(), decisions=1_000),
            asked_by=EVERY_KIND,
        ),
        Row(part="limits", what="the same, each in a new minute", us=microseconds(_minutes(), decisions=1_000)),
    ]


def _grants(accounts: int) -> Callable[[], None]:
    limiter = Limiter(SystemClock(), random=lambda: 0.0, rules=_RULES)
    names = [f"account-{number}" for number in range(accounts)] * max(1, 1_000 // accounts)

    def decide() -> None:
        for name in names:
            grant = limiter.reserve(account=name, counted_as=_MODEL, limits=_AMPLE, estimate=_ESTIMATE)
            grant.settle(_USAGE)
            grant.release()

    return decide


def _read() -> Callable[[], None]:
    limiter = Limiter(SystemClock(), random=lambda: 0.0, rules=_RULES)

    def decide() -> None:
        for _ in range(1_000):
            grant = limiter.reserve(account="a", counted_as=_MODEL, limits=_AMPLE, estimate=_ESTIMATE)
            grant.reading()
            grant.settle(_USAGE)
            grant.release()

    return decide


def _refusals() -> Callable[[], None]:
    """Of an account that has used up its limit and does not slow down."""
    limiter = Limiter(ManualClock(), random=lambda: 0.0, rules=_RULES)
    limiter.reserve(account="a", counted_as=_MODEL, limits=_AMPLE, estimate=Estimate(10**14, 0, 0))

    def decide() -> None:
        for _ in range(1_000):
            with suppress(LimitExceeded):
                limiter.reserve(account="a", counted_as=_MODEL, limits=_AMPLE, estimate=_ESTIMATE)

    return decide


def _estimates() -> Callable[[], None]:
    estimator = Estimator()
    request = InferenceRequest(
        request_id="r", endpoint=Endpoint.CHAT, model=_MODEL, work=(Generation(prompt="x", max_tokens=512),)
    )
    keys = [f"key_{number}" for number in range(1_000)]

    def decide() -> None:
        for key in keys:
            estimator.estimate(request, key_id=key, prompt_bytes=PROMPT_BYTES)
            estimator.learn(_USAGE, key_id=key, prompt_bytes=PROMPT_BYTES, answers=1)

    return decide


def _minutes() -> Callable[[], None]:
    """What it costs more than in the same minute is that limits follow the use of the minute that is over."""
    clock = ManualClock()
    limiter = Limiter(clock, random=lambda: 0.0, rules=_RULES)

    def decide() -> None:
        for _ in range(1_000):
            grant = limiter.reserve(account="a", counted_as=_MODEL, limits=_AMPLE, estimate=_ESTIMATE)
            grant.settle(_USAGE)
            grant.release()
            clock.advance(60)

    return decide
