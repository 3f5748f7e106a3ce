"""The bookkeeper: keeps sums up to date, and closes months once they are over."""

from typing import Final

from servery.billing.billing_month import BillingMonth
from servery.control.invoicing import Invoicing
from servery.core.clock import Clock

_STEPS_AT_ONCE: Final = 4
"""What there is to catch up with after a long pause is spread over several rounds: other duties wait meanwhile."""


class Bookkeeper:
    """One of a platform's regular duties.

    A month is closed ``grace_s`` after its end, so that what ended at its very end is in. Its end must have been in
    sight for ``settle_s`` by a clock that never jumps: closing is for good, and a wall clock may be set wrong.
    """

    def __init__(
        self, invoicing: Invoicing, clock: Clock, *, grace_s: float, interval_s: float = 5.0, settle_s: float = 300.0
    ) -> None:
        self._invoicing = invoicing
        self._clock = clock
        self._grace_ns = round(grace_s * 1_000_000_000)
        self._interval_s = interval_s
        self._settle_s = settle_s
        self._due_s = clock.monotonic_s()
        self._over: BillingMonth | None = None
        self._over_since_s = 0.0
        self._closed: BillingMonth | None = None

    async def look_after(self) -> None:
        """Take what was posted into the sums, if that was not done a moment ago; close a month that is over."""
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._interval_s
        await self._invoicing.catch_up(most_steps=_STEPS_AT_ONCE)
        over = BillingMonth(BillingMonth.of(self._clock.wall_ns() - self._grace_ns).number - 1)
        if over != self._over:
            self._over, self._over_since_s = over, now_s
        if over != self._closed and now_s - self._over_since_s >= self._settle_s:
            await self._invoicing.close(over)
            self._closed = over
