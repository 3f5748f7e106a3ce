"""Looks whether charges can be kept, and tells when that changes.

The disk under a running platform may turn read-only, and its files may be deleted, or moved away with their directory.
Writes find out by themselves, and nothing is taken for kept that is not. This finds out while nothing is written, and
that all is well again.
"""

import asyncio
import contextlib
import logging
from typing import Final

from servery.core.errors import ServeryError
from servery.metering.spool import Spool
from servery.store.database import Database

_PROOF_S: Final = 1.0
"""Whoever looks after other things as well waits no longer for a database to show that it can be written."""


class Safekeeping:
    """Of one worker's spool and its database."""

    def __init__(self, spool: Spool, database: Database, *, logger: logging.Logger) -> None:
        self._spool = spool
        self._database = database
        self._logger = logger
        self._told: list[str] = []

    async def look(self) -> None:
        """To be called again and again."""
        self._spool.look()
        self._database.look()
        database = self._database
        if database.is_failing and database.is_in_place and not database.is_stalled:
            with contextlib.suppress(ServeryError, TimeoutError):  # which is told below
                async with asyncio.timeout(_PROOF_S):
                    await database.prove_writable()
        self._tell()

    def _tell(self) -> None:
        wrong = []
        if self._spool.is_failing:
            wrong.append(f"the spool in {self._spool.directory} is gone or cannot be written")
        if not self._database.is_in_place:
            wrong.append("the database's file is gone: nothing new is served until it is back where it was")
        elif self._database.is_failing:
            wrong.append("the database cannot be written")
        if wrong == self._told:
            return
        if wrong:
            self._logger.error("charges cannot be kept as they should", extra={"fields": {"reason": "; ".join(wrong)}})
        else:
            self._logger.warning("charges can be kept again")
        self._told = wrong
