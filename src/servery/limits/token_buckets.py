"""Three continuously refilled token buckets in one: total prompt, uncached prompt, generated. Pure: time is handed in.

    level
    capacity ┬──╮          ╭───        refill: limit / 60 a second, up to the capacity
             │  ╰╮       ╭╯
             │   ╰──╮  ╭─╯
           0 ┼──────┼──┼───────        take: all three or none
             │      ╰──╯               settle may go below nothing; whoever comes next waits for the refill

One object, because a request always takes of all three: one refill, one comparison, no objects in between.
"""

from typing import Final

from servery.catalog.token_limits import TokenLimits
from servery.core.limit_reading import LimitMetric, Shortage

_ROUNDING_TOKENS: Final = 1e-3
"""What a level may lack because it was computed with fractions: who waits as long as told is not sent back for it."""


class TokenBuckets:
    """Each bucket holds up to ``burst_minutes`` of its limit and gains the limit each minute.

    In any window of w minutes, what is taken less what is given back is at most the capacity and w times the limit, and
    the debt at the window's end: what was settled beyond its estimate, and what one demand for more than the capacity
    took beyond it. A debt is refilled before anything else can be taken.

    ``refill`` is the only place where tokens come into being. Gateways that share a limit would get them there by a
    lease instead of by the clock; nothing else would change.
    """

    __slots__ = (
        "_filled_s",
        "_generated_capacity",
        "_generated_level",
        "_generated_per_s",
        "_prompt_capacity",
        "_prompt_level",
        "_prompt_per_s",
        "_uncached_capacity",
        "_uncached_level",
        "_uncached_per_s",
        "burst_minutes",
        "generated_per_minute",
        "limits",
        "prompt_per_minute",
        "uncached_per_minute",
    )

    def __init__(self, limits: TokenLimits, *, burst_minutes: float, now_s: float) -> None:
        self.burst_minutes = burst_minutes
        self._filled_s = now_s
        self._set(limits)
        self._prompt_level = self._prompt_capacity
        self._uncached_level = self._uncached_capacity
        self._generated_level = self._generated_capacity

    def set_limits(self, limits: TokenLimits, now_s: float) -> None:
        """From now on. What is left stays what it is, but for what a lower capacity cannot hold."""
        self.refill(now_s)
        self._set(limits)
        self._prompt_level = min(self._prompt_level, self._prompt_capacity)
        self._uncached_level = min(self._uncached_level, self._uncached_capacity)
        self._generated_level = min(self._generated_level, self._generated_capacity)

    def refill(self, now_s: float) -> None:
        """Gain what has come since the last time. A clock that goes back fills nothing and takes nothing; one that
        jumps ahead fills to the capacity at most."""
        elapsed_s = now_s - self._filled_s
        if elapsed_s <= 0.0:
            return
        self._filled_s = now_s
        level = self._prompt_level + elapsed_s * self._prompt_per_s
        self._prompt_level = level if level < self._prompt_capacity else self._prompt_capacity
        level = self._uncached_level + elapsed_s * self._uncached_per_s
        self._uncached_level = level if level < self._uncached_capacity else self._uncached_capacity
        level = self._generated_level + elapsed_s * self._generated_per_s
        self._generated_level = level if level < self._generated_capacity else self._generated_capacity

    def take(self, prompt_tokens: int, uncached_tokens: int, generated_tokens: int, now_s: float) -> bool:
        """Take all three, or nothing and return False: ``shortage`` then tells why. A demand for none never fails; one
        for more than the capacity takes a full bucket, and all of itself."""
        self.refill(now_s)
        if (
            prompt_tokens <= self._prompt_level
            and uncached_tokens <= self._uncached_level
            and generated_tokens <= self._generated_level
        ) or self.shortage(prompt_tokens, uncached_tokens, generated_tokens) is None:
            self._prompt_level -= prompt_tokens
            self._uncached_level -= uncached_tokens
            self._generated_level -= generated_tokens
            return True
        return False

    def correct(self, prompt_tokens: int, uncached_tokens: int, generated_tokens: int, now_s: float) -> None:
        """Take, or with negative numbers give back, without asking."""
        self.refill(now_s)
        level = self._prompt_level - prompt_tokens
        self._prompt_level = level if level < self._prompt_capacity else self._prompt_capacity
        level = self._uncached_level - uncached_tokens
        self._uncached_level = level if level < self._uncached_capacity else self._uncached_capacity
        level = self._generated_level - generated_tokens
        self._generated_level = level if level < self._generated_capacity else self._generated_capacity

    def shortage(self, prompt_tokens: int, uncached_tokens: int, generated_tokens: int) -> Shortage | None:
        """Of the limits that the demand does not fit into, as of the last refill, the one that it would wait for
        longest."""
        found = None
        for metric, tokens, level, capacity, limit in (
            (
                LimitMetric.PROMPT,
                prompt_tokens,
                self._prompt_level,
                self._prompt_capacity,
                self.prompt_per_minute,
            ),
            (
                LimitMetric.UNCACHED_PROMPT,
                uncached_tokens,
                self._uncached_level,
                self._uncached_capacity,
                self.uncached_per_minute,
            ),
            (
                LimitMetric.GENERATED,
                generated_tokens,
                self._generated_level,
                self._generated_capacity,
                self.generated_per_minute,
            ),
        ):
            missing = min(tokens, capacity) - level
            if tokens <= 0 or missing < _ROUNDING_TOKENS:
                continue
            wait_s = missing * 60.0 / limit
            if found is None or wait_s > found.wait_s:
                found = Shortage(
                    metric=metric,
                    limit_per_minute=limit,
                    requested=tokens,
                    remaining=max(0, int(level)),
                    wait_s=wait_s,
                )
        return found

    def remaining(self, now_s: float) -> tuple[int, int, int]:
        """Whole tokens that could be taken now: prompt, uncached prompt, generated. Never negative."""
        self.refill(now_s)
        prompt, uncached, generated = self._prompt_level, self._uncached_level, self._generated_level
        return (
            int(prompt) if prompt > 0.0 else 0,
            int(uncached) if uncached > 0.0 else 0,
            int(generated) if generated > 0.0 else 0,
        )

    def _set(self, limits: TokenLimits) -> None:
        self.limits = limits
        self.prompt_per_minute = limits.prompt_tokens_per_minute
        self.uncached_per_minute = limits.uncached_prompt_tokens_per_minute
        self.generated_per_minute = limits.generated_tokens_per_minute
        self._prompt_per_s = self.prompt_per_minute / 60.0
        self._uncached_per_s = self.uncached_per_minute / 60.0
        self._generated_per_s = self.generated_per_minute / 60.0
        self._prompt_capacity = self.prompt_per_minute * self.burst_minutes
        self._uncached_capacity = self.uncached_per_minute * self.burst_minutes
        self._generated_capacity = self.generated_per_minute * self.burst_minutes
