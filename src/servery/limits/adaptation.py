"""How limits follow use. A pure algorithm apart from enforcement: its state is a frozen value, its time is handed in.

Each of an account's limits for a model changes by itself, at the ends of minutes and of samples (15 minutes):

                    the minute used > 50 % of it, unchanged for 15 min
             ┌───────────────────────────────────────────────────────┐ by 1.25, at most the ceiling
             │                                                       ▼
    start ── limit ─────────────────────────────────────────────── limit
             ▲                                                       │
             └───────────────────────────────────────────────────────┘ by 0.8, at least start
                    best sample of 3 days < 33 % of it, unchanged for 24 h,
                    and the last minute used < 50 % of what it would become

and all of them go back to start after 72 hours without use. The rules are those that Fireworks documents for its
serverless limits; where limits start and how far they fall it leaves open. Minutes are numbered from the Unix epoch.

What happens at the end of a minute depends on nothing but what was used until then, so it may be worked out later:
``minutes_ended`` makes up for any number of minutes at once, and looking more often changes nothing.
"""

import msgspec

from servery.catalog.token_limits import TokenLimits
from servery.limits.rules import AdaptationRules


class Peak(msgspec.Struct, frozen=True, array_like=True):
    """A sample that no later one has reached: the minute of its end, and the tokens per minute that it used."""

    ended_minute: int
    tokens_per_minute: float


class AdaptiveLimit(msgspec.Struct, frozen=True, array_like=True):
    """One limit. ``peaks`` are falling and in the order of time, so that the first of them is the best sample of the
    window; samples that a later one has reached can never be that again. ``sample_tokens``: used since the last
    sample's end."""

    tokens_per_minute: int
    changed_minute: int
    sample_tokens: int = 0
    peaks: tuple[Peak, ...] = ()


class AdaptiveLimits(msgspec.Struct, frozen=True, array_like=True):
    """An account's three limits for one model. ``minute`` is the first that has not been looked at; ``used_minute``
    the end of the last in which there was any use."""

    prompt: AdaptiveLimit
    uncached_prompt: AdaptiveLimit
    generated: AdaptiveLimit
    minute: int
    used_minute: int

    @property
    def token_limits(self) -> TokenLimits:
        return TokenLimits(
            prompt_tokens_per_minute=self.prompt.tokens_per_minute,
            uncached_prompt_tokens_per_minute=self.uncached_prompt.tokens_per_minute,
            generated_tokens_per_minute=self.generated.tokens_per_minute,
        )


class Used(msgspec.Struct, frozen=True):
    """Tokens that requests which ended in one minute have really used."""

    prompt: int = 0
    uncached_prompt: int = 0
    generated: int = 0


def starting(rules: AdaptationRules, ceilings: TokenLimits, *, minute: int) -> AdaptiveLimits:
    """Limits at the first use of a model, or after a long time without."""
    floor = lower_bounds(rules, ceilings)
    return AdaptiveLimits(
        prompt=AdaptiveLimit(floor.prompt_tokens_per_minute, minute),
        uncached_prompt=AdaptiveLimit(floor.uncached_prompt_tokens_per_minute, minute),
        generated=AdaptiveLimit(floor.generated_tokens_per_minute, minute),
        minute=minute,
        used_minute=minute,
    )


def lower_bounds(rules: AdaptationRules, ceilings: TokenLimits) -> TokenLimits:
    """Where limits start, unless a ceiling is lower still."""
    start = rules.start
    return TokenLimits(
        prompt_tokens_per_minute=min(start.prompt_tokens_per_minute, ceilings.prompt_tokens_per_minute),
        uncached_prompt_tokens_per_minute=min(
            start.uncached_prompt_tokens_per_minute, ceilings.uncached_prompt_tokens_per_minute
        ),
        generated_tokens_per_minute=min(start.generated_tokens_per_minute, ceilings.generated_tokens_per_minute),
    )


def minutes_ended(
    state: AdaptiveLimits, used: Used, *, now_minute: int, rules: AdaptationRules, ceilings: TokenLimits
) -> AdaptiveLimits:
    """The state at the beginning of ``now_minute``: ``used`` in ``state.minute``, and nothing since.

    The state's limits are between their bounds (``bounded``). A ``now_minute`` that does not lie ahead, as after a
    clock was set back, changes nothing.
    """
    if now_minute <= state.minute:
        return state
    floor = lower_bounds(rules, ceilings)
    ended = state.minute + 1
    used_minute = ended if used.prompt or used.generated else state.used_minute
    if ended - used_minute < rules.idle_minutes:
        state = _minute_ended(state, used, ended=ended, rules=rules, ceilings=ceilings)
    reset_minute = used_minute + rules.idle_minutes
    quiet_until = min(now_minute, reset_minute - 1)
    if state.token_limits != floor or _has_open_sample(state):
        for sample_end in range(_next_sample_end(ended, rules), quiet_until + 1, rules.sample_minutes):
            state = _minute_ended(state, _NOTHING, ended=sample_end, rules=rules, ceilings=ceilings)
    if now_minute >= reset_minute:
        return msgspec.structs.replace(
            starting(rules, ceilings, minute=reset_minute), minute=now_minute, used_minute=used_minute
        )
    return msgspec.structs.replace(state, minute=now_minute, used_minute=used_minute)


def with_use(state: AdaptiveLimits, used: Used) -> AdaptiveLimits:
    """The state with what a minute that has not ended has used: for being written down, so that nothing is missing."""
    if not (used.prompt or used.generated):
        return state
    return msgspec.structs.replace(
        state,
        prompt=_with_tokens(state.prompt, used.prompt),
        uncached_prompt=_with_tokens(state.uncached_prompt, used.uncached_prompt),
        generated=_with_tokens(state.generated, used.generated),
        used_minute=state.minute,
    )


def bounded(state: AdaptiveLimits, *, rules: AdaptationRules, ceilings: TokenLimits) -> AdaptiveLimits:
    """The state with its limits between their lower bounds and ``ceilings``, which may have moved."""
    floor = lower_bounds(rules, ceilings)
    return msgspec.structs.replace(
        state,
        prompt=_between(state.prompt, floor.prompt_tokens_per_minute, ceilings.prompt_tokens_per_minute),
        uncached_prompt=_between(
            state.uncached_prompt, floor.uncached_prompt_tokens_per_minute, ceilings.uncached_prompt_tokens_per_minute
        ),
        generated=_between(state.generated, floor.generated_tokens_per_minute, ceilings.generated_tokens_per_minute),
    )


def not_ahead(state: AdaptiveLimits, *, now_minute: int) -> AdaptiveLimits:
    """The state with nothing in it later than ``now_minute``: it was written down under a clock that ran ahead."""
    return AdaptiveLimits(
        prompt=_not_ahead(state.prompt, now_minute),
        uncached_prompt=_not_ahead(state.uncached_prompt, now_minute),
        generated=_not_ahead(state.generated, now_minute),
        minute=min(state.minute, now_minute),
        used_minute=min(state.used_minute, now_minute),
    )


_NOTHING = Used()


def _minute_ended(
    state: AdaptiveLimits, used: Used, *, ended: int, rules: AdaptationRules, ceilings: TokenLimits
) -> AdaptiveLimits:
    floor = lower_bounds(rules, ceilings)
    return msgspec.structs.replace(
        state,
        prompt=_adapted(
            state.prompt,
            used.prompt,
            ended,
            rules,
            floor=floor.prompt_tokens_per_minute,
            ceiling=ceilings.prompt_tokens_per_minute,
        ),
        uncached_prompt=_adapted(
            state.uncached_prompt,
            used.uncached_prompt,
            ended,
            rules,
            floor=floor.uncached_prompt_tokens_per_minute,
            ceiling=ceilings.uncached_prompt_tokens_per_minute,
        ),
        generated=_adapted(
            state.generated,
            used.generated,
            ended,
            rules,
            floor=floor.generated_tokens_per_minute,
            ceiling=ceilings.generated_tokens_per_minute,
        ),
    )


def _adapted(
    limit: AdaptiveLimit, used_tokens: int, ended: int, rules: AdaptationRules, *, floor: int, ceiling: int
) -> AdaptiveLimit:
    """One limit at the minute ``ended``, when the minute before it has used ``used_tokens``."""
    sample_tokens, peaks = limit.sample_tokens + used_tokens, limit.peaks
    sample_ended = ended % rules.sample_minutes == 0
    if sample_ended:
        peaks = _with_sample(peaks, Peak(ended, sample_tokens / rules.sample_minutes), rules)
        sample_tokens = 0
    tokens, unchanged_minutes = limit.tokens_per_minute, ended - limit.changed_minute
    changed = tokens
    if used_tokens > rules.increase_above * tokens:
        if unchanged_minutes >= rules.increase_interval_minutes:
            changed = min(ceiling, round(tokens * rules.increase_factor))
    elif sample_ended and unchanged_minutes >= rules.decrease_interval_minutes:
        lowered = max(floor, round(tokens * rules.decrease_factor))
        best = peaks[0].tokens_per_minute if peaks else 0.0
        if best < rules.decrease_below * tokens and used_tokens < rules.decrease_not_above * lowered:
            changed = lowered
    return AdaptiveLimit(changed, ended if changed != tokens else limit.changed_minute, sample_tokens, peaks)


def _with_sample(peaks: tuple[Peak, ...], sample: Peak, rules: AdaptationRules) -> tuple[Peak, ...]:
    """The peaks of the window that ends with ``sample``."""
    oldest = sample.ended_minute - rules.decrease_window_minutes
    kept = tuple(
        peak for peak in peaks if peak.ended_minute > oldest and peak.tokens_per_minute > sample.tokens_per_minute
    )
    return (*kept, sample) if sample.tokens_per_minute > 0 else kept


def _next_sample_end(ended: int, rules: AdaptationRules) -> int:
    """The first end of a sample after the minute ``ended``."""
    return ended - ended % rules.sample_minutes + rules.sample_minutes


def _has_open_sample(state: AdaptiveLimits) -> bool:
    return state.prompt.sample_tokens + state.uncached_prompt.sample_tokens + state.generated.sample_tokens > 0


def _with_tokens(limit: AdaptiveLimit, tokens: int) -> AdaptiveLimit:
    return msgspec.structs.replace(limit, sample_tokens=limit.sample_tokens + tokens)


def _between(limit: AdaptiveLimit, floor: int, ceiling: int) -> AdaptiveLimit:
    return msgspec.structs.replace(limit, tokens_per_minute=min(max(limit.tokens_per_minute, floor), ceiling))


def _not_ahead(limit: AdaptiveLimit, now_minute: int) -> AdaptiveLimit:
    return msgspec.structs.replace(
        limit,
        changed_minute=min(limit.changed_minute, now_minute),
        peaks=tuple(Peak(min(peak.ended_minute, now_minute), peak.tokens_per_minute) for peak in limit.peaks),
    )
