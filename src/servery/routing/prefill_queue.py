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


class PrefillQueue:
    """The prompts that one replica has not computed yet, by the number of their request. Times are monotonic seconds,
    amounts uncached prompt tokens; ``rate`` is tokens per second and may be changed at any time.

    ``oldest`` is the request that has been waiting longest, None if there is none; ``since_s`` is when it was begun.
    ``telling`` of the prompts are not silent.
    """

    __slots__ = (
        "_first_is_silent",
        "_first_tokens",
        "_pending",
        "oldest",
        "pending_tokens",
        "rate",
        "since_s",
        "telling",
    )

    def __init__(self, *, rate: float) -> None:
        self.rate = rate
        self.pending_tokens = 0.0
        self.since_s = 0.0
        self.oldest: int | None = None
        self._first_tokens = 0.0
        self._first_is_silent = False
        self.telling = 0
        self._pending: dict[int, tuple[float, bool]] = {}

    @property
    def done_s(self) -> float:
        """When all of it should be done."""
        return self.since_s + self.pending_tokens / self.rate

    def backlog_s(self, now_s: float) -> float:
        while self.oldest is not None:
            first_s = self._first_tokens / self.rate
            ahead_s = first_s - (now_s - self.since_s)
            if self._first_is_silent and ahead_s <= 0:
                self._remove(self.oldest, self.since_s + first_s)
                continue
            if ahead_s < 0:
                ahead_s = -ahead_s
            if len(self._pending) == 1:
                return ahead_s
            return ahead_s + (self.pending_tokens - self._first_tokens) / self.rate
        return 0.0

    def enter(self, number: int, tokens: float, now_s: float, *, is_silent: bool) -> None:
        """A prompt is sent. Of a silent one nobody will tell when it is computed, so the time is believed."""
        if self.oldest is None:
            self.since_s = now_s
            self.oldest, self._first_tokens, self._first_is_silent = number, tokens, is_silent
        self._pending[number] = (tokens, is_silent)
        self.pending_tokens += tokens
        self.telling += not is_silent

    def computed(self, number: int, *, sent_s: float, now_s: float) -> float | None:
        """Its first token is here. Returns the seconds that it had the engine for itself; None if it is not pending."""
        if number not in self._pending:
            return None
        service_s = now_s - (sent_s if sent_s > self.since_s else self.since_s)
        self._remove(number, now_s)
        return service_s

    def computed_tokens(self, number: int, now_s: float) -> float:
        """How much of a prompt that was sent there should be computed by now; inf for all of it."""
        if number not in self._pending:
            return inf
        return min(self._first_tokens, (now_s - self.since_s) * self.rate) if number == self.oldest else 0.0

    def gone(self, number: int, now_s: float) -> None:
        """It will not be computed, or has been."""
        if number in self._pending:
            self._remove(number, now_s if number == self.oldest else self.since_s)

    def _remove(self, number: int, since_s: float) -> None:
        pending = self._pending
        tokens, is_silent = pending.pop(number)
        self.telling -= not is_silent
        self.since_s = since_s
        if not pending:  # the sum is nothing, whatever rounding has left of it
            self.pending_tokens = 0.0
            self.oldest = None
            return
        self.pending_tokens -= tokens
        if number == self.oldest:
            self.oldest, (self._first_tokens, self._first_is_silent) = next(iter(pending.items()))
