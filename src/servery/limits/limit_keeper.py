"""Keeps limits over restarts, and in step with what others have changed: the only part of them that does I/O."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from servery.core.clock import Clock
from servery.core.errors import ServeryError
from servery.limits.fixed_limits import FixedLimits
from servery.limits.limit_records import LimitRecord, LimitRecords
from servery.limits.limiter import Limiter
from servery.limits.model_limits import ModelLimits
from servery.limits.rules import LimitRules
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.database import Database

CHANGES_KEPT_DAYS = 31
_DAY_NS = 86_400 * 1_000_000_000
_MINUTE_NS = 60 * 1_000_000_000

_SAVED_TOGETHER: Final = 256
"""Of so many the states are written down at once: a millisecond or so of the event loop, and requests come between."""


class LimitKeeper:
    """``open`` before serving, ``look_after`` meanwhile, ``close`` after. States are written down every
    ``save_interval_s`` and at the end, so a platform that is killed loses what limits have learned since the last time
    and no more.

    ``extend`` reserves more for streams that have outgrown their reservations; that is done in each round.
    """

    def __init__(
        self,
        database: Database,
        limiter: Limiter,
        clock: Clock,
        *,
        rules: LimitRules,
        save_interval_s: float,
        extend: Callable[[], None],
        logger: logging.Logger,
    ) -> None:
        self._database = database
        self._limiter = limiter
        self._clock = clock
        self._rules = rules
        self._save_interval_s = save_interval_s
        self._extend = extend
        self._logger = logger
        self._records = LimitRecords(database)
        self._fixed = FixedLimits(database, clock)
        self._revision = ConfigurationRevision()
        self._seen_revision = -1
        self._save_due_s = clock.monotonic_s() + save_interval_s

    async def open(self) -> None:
        """Recall what limits were, and what is fixed; forget what is too old."""
        now_ns = self._clock.wall_ns()
        states_before_ns = now_ns - self._rules.adaptation.idle_minutes * _MINUTE_NS
        await self._records.forget(
            states_before_ns=states_before_ns, changes_before_ns=now_ns - CHANGES_KEPT_DAYS * _DAY_NS
        )
        most = self._rules.tracked_accounts
        self._limiter.recall(await self._records.states(since_ns=states_before_ns, most=most))
        await self.refresh()

    async def look_after(self) -> None:
        """What is to be done about once a second: reserve for streams, refresh, and save when it is time to. Raises
        what ``Database`` raises."""
        self._extend()
        await self.refresh()
        if self._clock.monotonic_s() >= self._save_due_s:
            self._save_due_s = self._clock.monotonic_s() + self._save_interval_s
            await self.save()

    async def refresh(self) -> None:
        """Take over what is fixed now, if accounts or limits have changed, in this process or another."""
        revision = await self._database.look_up(self._revision.current)
        if revision != self._seen_revision:
            self._limiter.set_custom(await self._fixed.all())
            self._seen_revision = revision

    async def save(self) -> None:
        """Write down the states of limits that had a minute's end since the last time. Raises what ``Database.write``
        raises; what was not written is tried again the next time."""
        left = self._limiter.take_looked_at()
        try:
            while left:
                await self._save(left[:_SAVED_TOGETHER])
                left = left[_SAVED_TOGETHER:]
        except BaseException:
            self._limiter.look_again(left)
            raise

    async def _save(self, models: Sequence[ModelLimits]) -> None:
        records = [self._record(model) for model in models]
        await self._records.save(records)
        for model, record in zip(models, records, strict=True):
            model.recorded = record.changed or model.recorded

    async def close(self) -> None:
        """Write down what is left. The database is still open."""
        self._limiter.look_at_all()
        try:
            self._database.check_not_stalled()  # the end does not wait for a database that has been silent for so long
            await self.save()
        except ServeryError:
            self._logger.exception("limits could not be kept")

    def _record(self, model: ModelLimits) -> LimitRecord:
        limits = model.limits
        return LimitRecord(
            account=model.account,
            model=model.name,
            state=model.state,
            saved_ns=self._clock.wall_ns(),
            changed=None if limits == model.recorded else limits,
        )
