"""What a platform looks after at regular times, beside serving."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from servery.core.errors import ServeryError

Duty = Callable[[], Awaitable[object]]


class Rounds:
    """Does all ``duties`` in turn, again and again, with a ``pause`` between rounds. A duty that fails, because the
    database is away for example, is tried again the next time; also one with a fault of ours, which is told with where
    it was met: the others are done all the same."""

    def __init__(self, duties: Sequence[Duty], *, pause: Duty, logger: logging.Logger) -> None:
        self._duties = duties
        self._pause = pause
        self._logger = logger

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            for duty in self._duties:
                await self._do(duty)
            await self._pause()

    async def _do(self, duty: Duty) -> None:
        try:
            await duty()
        except ServeryError as error:
            self._logger.warning("a duty failed", extra={"fields": {"code": error.code, "reason": error.message}})
        except Exception:  # the last door: a fault of ours must not end what is looked after beside it
            self._logger.exception("a duty failed")
