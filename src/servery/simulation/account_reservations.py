"""The platform's own limits, for all accounts of a run."""

from random import Random

from servery.core.errors import LimitExceeded
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant
from servery.limits.limiter import Limiter
from servery.simulation.described.limits import DescribedLimits
from servery.simulation.reservation import Reservation
from servery.simulation.traces.request import Request
from servery.simulation.virtual_clock import VirtualClock

_SHARED = "standard and priority"


class Granted:
    """A grant of the limiter."""

    __slots__ = ("_grant", "refused_for_s")

    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self.refused_for_s: float | None = None

    def end(self, usage: Usage | None) -> None:
        if usage is not None:
            self._grant.settle(usage)
        self._grant.release()


class Refused:
    """A 429."""

    __slots__ = ("refused_for_s",)

    def __init__(self, wait_s: float) -> None:
        self.refused_for_s: float | None = wait_s

    def end(self, usage: Usage | None) -> None:
        """Nothing was held."""


class AccountReservations:
    """Standard and Priority count as one, Fast by itself."""

    def __init__(self, limits: DescribedLimits, clock: VirtualClock, random: Random) -> None:
        self._ceilings = limits.ceilings
        self._limiter = Limiter(clock, random=random.random, rules=limits.rules())

    @property
    def open_grants(self) -> int:
        return self._limiter.open_grants

    def reserve(self, request: Request, estimate: Estimate) -> Reservation:
        try:
            grant = self._limiter.reserve(
                account=request.account,
                counted_as=ServingPath.FAST.value if request.path is ServingPath.FAST else _SHARED,
                limits=self._ceilings,
                estimate=estimate,
            )
        except LimitExceeded as refusal:
            return Refused(refusal.retry_after_s or 0.0)
        return Granted(grant)
