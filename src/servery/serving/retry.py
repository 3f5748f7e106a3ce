"""When a request may be tried again on another replica."""

from typing import Final

from servery.core.errors import EngineBroke, EngineUnavailable, Overloaded, ServeryError

ATTEMPTS: Final = 2


class RetryBudget:
    """Keeps retries to a fraction of the traffic, so that failing engines do not double their own load.

    Each request earns ``fraction`` of a retry, up to ``most`` saved; each retry costs one. What is saved lets all that
    a single replica had in flight be tried elsewhere when it dies.
    """

    def __init__(self, *, fraction: float = 0.1, most: float = 100.0) -> None:
        self._fraction = fraction
        self._most = most
        self._saved = most

    def earn(self) -> None:
        self._saved = min(self._most, self._saved + self._fraction)

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True


def may_retry(error: ServeryError, *, attempt: int) -> bool:
    """Whether ``error`` leaves room for another attempt: the engine is at fault in a way that another may not be, and
    attempts are left. A timeout is not retried: it has used up the time."""
    return isinstance(error, EngineUnavailable | EngineBroke | Overloaded) and attempt + 1 < ATTEMPTS
