"""How long one replica will be busy with the prompts that were sent to it.

Prompts are taken to be computed one by one, each from when it came or the one before it was done (Lindley, 1952):

    sent        a ─────── b ── c
    computed      a a a a a|b b b|c c c c|          now: part of a is done, and nobody tells how much;
                      now ^                         so what is left of the first is guessed from the time

    backlog = | first ÷ rate - time since it began | + the rest ÷ rate

The bars mean: a prompt that should have been done by now, and is not, will take about as long again as it is late. So a
replica that hangs looks worse and worse instead of nearly free.
"""


class PrefillQueue:
    """The prompts that one replica has not computed yet, by the number of their request. Times are monotonic seconds,
    amounts uncached prompt tokens; ``rate`` is tokens per second and may be changed at any time."""

    __slots__ = ("_pending", "_since_s", "pending_tokens", "rate")

    def __init__(self, *, rate: float) -> None:
        self.rate = rate
        self.pending_tokens = 0.0
        self._pending: dict[int, tuple[float, bool]] = {}
        self._since_s = 0.0

    @property
    def oldest(self) -> int | None:
        """The request that has been waiting longest."""
        return next(iter(self._pending), None)

    @property
    def done_s(self) -> float:
        """When all of it should be done."""
        return self._since_s + self.pending_tokens / self.rate

    def backlog_s(self, now_s: float) -> float:
        pending = self._pending
        while pending:
            first, is_silent = next(iter(pending.values()))
            ahead_s = first / self.rate - (now_s - self._since_s)
            if is_silent and ahead_s <= 0:
                self._remove(next(iter(pending)), self._since_s + first / self.rate)
                continue
            return abs(ahead_s) + (self.pending_tokens - first) / self.rate if len(pending) > 1 else abs(ahead_s)
        return 0.0

    def enter(self, number: int, tokens: float, now_s: float, *, is_silent: bool) -> None:
        """A prompt is sent. Of a silent one nobody will tell when it is computed, so the time is believed."""
        if not self._pending:
            self._since_s = now_s
        self._pending[number] = (tokens, is_silent)
        self.pending_tokens += tokens

    def computed(self, number: int, *, sent_s: float, now_s: float) -> float | None:
        """Its first token is here. Returns the seconds that it had the engine for itself; None if it is not pending."""
        if number not in self._pending:
            return None
        service_s = now_s - max(sent_s, self._since_s)
        self._remove(number, now_s)
        return service_s

    def gone(self, number: int, now_s: float) -> None:
        """It will not be computed, or has been."""
        if number in self._pending:
            self._remove(number, now_s if number == self.oldest else self._since_s)

    def _remove(self, number: int, since_s: float) -> None:
        tokens, _ = self._pending.pop(number)
        # With nothing pending the sum is nothing, whatever rounding has left of it.
        self.pending_tokens = self.pending_tokens - tokens if self._pending else 0.0
        self._since_s = since_s
