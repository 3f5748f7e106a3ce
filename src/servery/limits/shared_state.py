"""Limits that several gateways share: what is in one account's common buckets for one model, and how it is lent. Pure.

    the common buckets ──── lend ────► a gateway's own, from which it serves without asking
          ▲    refill by the clock              │
          └──────────── give back ◄─────────────┘  what it did not use

Tokens come into being in the common buckets only, so however many gateways there are, an account gets in any window at
most what ``TokenBuckets`` promises of one. What a gateway has borrowed and takes with it when it dies is lost until the
refill has made up for it: never a token too many, for at most some seconds a few too few.
"""

import msgspec

from servery.catalog.token_limits import TokenLimits
from servery.limits.adaptation import AdaptiveLimits, Used, bounded, minutes_ended, not_ahead, starting
from servery.limits.custom_limits import CustomLimits
from servery.limits.rules import LimitRules

_MINUTE_NS = 60_000_000_000
_MOST_LENT_SHARE = 0.5
"""Of what is there, beyond what is needed at once: another gateway may come in the same moment."""
_ROUNDING_TOKENS = 1e-3


class Tokens(msgspec.Struct, frozen=True, array_like=True):
    """Of each of the three limits. Numbers may be fractions, and below nothing where something is owed."""

    prompt: float = 0.0
    uncached_prompt: float = 0.0
    generated: float = 0.0

    def plus(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt + other.prompt,
            self.uncached_prompt + other.uncached_prompt,
            self.generated + other.generated,
        )

    def minus(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt - other.prompt,
            self.uncached_prompt - other.uncached_prompt,
            self.generated - other.generated,
        )

    def at_most(self, other: "Tokens") -> "Tokens":
        return Tokens(
            min(self.prompt, other.prompt),
            min(self.uncached_prompt, other.uncached_prompt),
            min(self.generated, other.generated),
        )

    def at_least(self, other: "Tokens") -> "Tokens":
        return Tokens(
            max(self.prompt, other.prompt),
            max(self.uncached_prompt, other.uncached_prompt),
            max(self.generated, other.generated),
        )

    def times(self, factor: float) -> "Tokens":
        return Tokens(self.prompt * factor, self.uncached_prompt * factor, self.generated * factor)

    @property
    def is_nothing(self) -> bool:
        return self == NOTHING


NOTHING = Tokens()


def per_minute(limits: TokenLimits) -> Tokens:
    """The limits as tokens of one minute."""
    return Tokens(
        limits.prompt_tokens_per_minute, limits.uncached_prompt_tokens_per_minute, limits.generated_tokens_per_minute
    )


class SharedState(msgspec.Struct, frozen=True, array_like=True):
    """What stands in the database: the common levels at ``filled_ns``, the limits as they have adapted, and what all
    gateways have reported of the current minute."""

    level: Tokens
    filled_ns: int
    adaptive: AdaptiveLimits
    used: Used


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """``need`` is wanted at once, all of it or nothing; up to ``want`` on stock. ``unspent`` is given back, and
    ``used`` is what requests that ended since the last time have really used."""

    need: Tokens = NOTHING
    want: Tokens = NOTHING
    unspent: Tokens = NOTHING
    used: Used = Used()
    ceilings: TokenLimits
    custom: CustomLimits | None = None


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """``is_met``: what was needed is in ``tokens``. ``left`` stays in the common buckets, which go by ``limits``."""

    tokens: Tokens
    is_met: bool
    left: Tokens
    limits: TokenLimits
    adaptive: AdaptiveLimits


def lend(
    state: SharedState | None, recorded: AdaptiveLimits | None, ask: Ask, *, now_ns: int, rules: LimitRules
) -> tuple[SharedState, Loan]:
    """The state after ``ask`` at ``now_ns``, and what it gives. ``state`` is None for those never asked for; then
    ``recorded`` is how their limits had adapted before they were shared, if at all."""
    adaptive, used = _adapted(state, recorded, ask, now_ns=now_ns, rules=rules)
    limits = adaptive.token_limits if ask.custom is None else ask.custom.over(adaptive.token_limits)
    capacity = per_minute(limits).times(rules.burst_minutes)
    if state is None:
        level, filled_ns = capacity, now_ns
    else:
        # A clock that goes back fills nothing and takes nothing.
        filled_ns = max(now_ns, state.filled_ns)
        refill = per_minute(limits).times((filled_ns - state.filled_ns) / _MINUTE_NS)
        level = state.level.plus(ask.unspent).plus(refill).at_most(capacity)
    # A demand for more than a bucket holds waits for a full one, as in ``TokenBuckets``.
    is_met = _covers(level, ask.need.at_most(capacity))
    tokens = NOTHING
    if is_met:
        stock = ask.want.minus(ask.need).at_most(level.minus(ask.need).times(_MOST_LENT_SHARE)).at_least(NOTHING)
        tokens = ask.need.plus(stock)
        level = level.minus(tokens)
    after = SharedState(level=level, filled_ns=filled_ns, adaptive=adaptive, used=used)
    return after, Loan(tokens=tokens, is_met=is_met, left=level, limits=limits, adaptive=adaptive)


def _adapted(
    state: SharedState | None, recorded: AdaptiveLimits | None, ask: Ask, *, now_ns: int, rules: LimitRules
) -> tuple[AdaptiveLimits, Used]:
    """The limits at ``now_ns``, and what is known of the minute's use. What is reported counts for the minute in which
    it is; a gateway reports every second or so."""
    minute = now_ns // _MINUTE_NS
    known = state.adaptive if state is not None else recorded
    if known is None:
        return starting(rules.adaptation, ask.ceilings, minute=minute), ask.used
    before = bounded(not_ahead(known, now_minute=minute), rules=rules.adaptation, ceilings=ask.ceilings)
    used = Used() if state is None else state.used
    if minute == before.minute:
        return before, _sum(used, ask.used)
    after = minutes_ended(before, used, now_minute=minute, rules=rules.adaptation, ceilings=ask.ceilings)
    return after, ask.used


def _sum(one: Used, other: Used) -> Used:
    return Used(one.prompt + other.prompt, one.uncached_prompt + other.uncached_prompt, one.generated + other.generated)


def _covers(level: Tokens, need: Tokens) -> bool:
    return (
        (need.prompt <= 0 or need.prompt <= level.prompt + _ROUNDING_TOKENS)
        and (need.uncached_prompt <= 0 or need.uncached_prompt <= level.uncached_prompt + _ROUNDING_TOKENS)
        and (need.generated <= 0 or need.generated <= level.generated + _ROUNDING_TOKENS)
    )
