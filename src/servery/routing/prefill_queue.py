"""How long one replica will be busy with the prompts that were sent to it.

Prompts are taken to be computed one by one, each from when it came or the one before it was done (Lindley, 1952):

    sent        a ─────── b ── c
    computed      a a a a a|b b b|c c c c|          now: part of a is done, and nobody tells how much;
                      now ^                         so what is left of the first is guessed from the time

    backlog = | first ÷ rate - time since it began | + the rest ÷ rate

The bars mean: a prompt that should have been done by now, and is not, will take about as long again as it is late. So a
replica that hangs looks worse and worse instead of nearly free.
"""

from math import inf


class Prompt:
    """One that was sent, for who sent it. While it ``is_pending`` it stands in its queue between the one that came
    ``before`` it and the one ``after``."""

    __slots__ = ("after", "before", "is_pending", "is_silent", "number", "tokens")

    def __init__(self, number: int, tokens: float, before: "Prompt | None", *, is_silent: bool) -> None:
        self.number = number
        self.tokens = tokens
        self.is_silent = is_silent
        self.is_pending = True
        self.before = before
        self.after: Prompt | None = None


class PrefillQueue:
    """The prompts that one replica has not computed yet. Times are monotonic seconds, amounts uncached prompt tokens;
    ``rate`` is tokens per second and may be changed at any time.

    ``since_s`` is when the first was begun. ``telling`` of the prompts are not silent.
    """

    __slots__ = ("_first", "_last", "pending_tokens", "rate", "since_s", "telling")

    def __init__(self, *, rate: float) -> None:
        self.rate = rate
        self.pending_tokens = 0.0
        self.since_s = 0.0
        self.telling = 0
        self._first: Prompt | None = None
        self._last: Prompt | None = None

    @property
    def oldest(self) -> int | None:
        """The request that has been waiting longest, None if there is none."""
        return None if self._first is None else self._first.number

    @property
    def done_s(self) -> float:
        """When all of it should be done."""
        return self.since_s + self.pending_tokens / self.rate

    def backlog_s(self, now_s: float) -> float:
        while (first := self._first) is not None:
            first_s = first.tokens / self.rate
            ahead_s = first_s - (now_s - self.since_s)
            if first.is_silent and ahead_s <= 0:
                self._remove(first, self.since_s + first_s)
                continue
            if ahead_s < 0:
                ahead_s = -ahead_s
            if first.after is None:
                return ahead_s
            return ahead_s + (self.pending_tokens - first.tokens) / self.rate
        return 0.0

    def enter(self, number: int, tokens: float, now_s: float, *, is_silent: bool) -> Prompt:
        """The prompt of request ``number`` is sent. Of a silent one nobody will tell when it is computed, so the time
        is believed."""
        last = self._last
        self._last = prompt = Prompt(number, tokens, last, is_silent=is_silent)
        if last is None:
            self.since_s = now_s
            self._first = prompt
        else:
            last.after = prompt
        self.pending_tokens += tokens
        self.telling += not is_silent
        return prompt

    def computed(self, prompt: Prompt, *, sent_s: float, now_s: float) -> float | None:
        """Its first token is here. Returns the seconds that it had the engine for itself; None if it is not pending."""
        if not prompt.is_pending:
            return None
        service_s = now_s - (sent_s if sent_s > self.since_s else self.since_s)
        self._remove(prompt, now_s)
        return service_s

    def computed_tokens(self, prompt: Prompt, now_s: float) -> float:
        """How much of a prompt that was sent there should be computed by now; inf for all of it."""
        if not prompt.is_pending:
            return inf
        return min(prompt.tokens, (now_s - self.since_s) * self.rate) if prompt is self._first else 0.0

    def gone(self, prompt: Prompt, now_s: float) -> None:
        """It will not be computed, or has been."""
        if prompt.is_pending:
            self._remove(prompt, now_s if prompt is self._first else self.since_s)

    def clear(self) -> None:
        """None of them will be computed."""
        while (first := self._first) is not None:
            self._remove(first, self.since_s)

    def _remove(self, prompt: Prompt, since_s: float) -> None:
        prompt.is_pending = False
        before, after = prompt.before, prompt.after
        prompt.before = prompt.after = None
        if before is None:
            self._first = after
        else:
            before.after = after
        if after is None:
            self._last = before
        else:
            after.before = before
        self.telling -= not prompt.is_silent
        self.since_s = since_s
        # Of none the sum is nothing, whatever rounding has left of it.
        self.pending_tokens = self.pending_tokens - prompt.tokens if self._first is not None else 0.0
