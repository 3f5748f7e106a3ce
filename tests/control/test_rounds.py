"""Duties are done again and again, whatever some of them meet."""

import asyncio
import logging

import pytest

from servery.control.rounds import Rounds
from servery.core.cancellation import end
from servery.core.errors import Overloaded

LOGGER = logging.getLogger("test_rounds")


@pytest.mark.parametrize("error", [Overloaded("away"), OSError("disk I/O error"), ExceptionGroup("both", [OSError()])])
async def test_a_duty_that_fails_is_told_and_harms_no_other(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Those behind it are done, and so is it the next time."""
    done: list[str] = []
    thrice = asyncio.Event()

    async def fails() -> None:
        done.append("fails")
        raise error

    async def succeeds() -> None:
        done.append("succeeds")
        if len(done) == 6:
            thrice.set()

    rounds = Rounds([fails, succeeds], pause=lambda: asyncio.sleep(0), logger=LOGGER)
    task = asyncio.create_task(rounds.run())
    async with asyncio.timeout(60):
        await thrice.wait()
    await end(task)
    assert done[:6] == ["fails", "succeeds"] * 3
    assert {record.message for record in caplog.records} == {"a duty failed"}
