"""A database whose disk takes long over one commit."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servery.store.connection import Connection
from servery.store.database import Database


@asynccontextmanager
async def stuck_writer(database: Database) -> AsyncIterator[None]:
    """Until the block ends, whatever is written waits its turn."""
    entered, free = threading.Event(), threading.Event()

    def waits(connection: Connection) -> None:
        entered.set()
        assert free.wait(timeout=60)

    database.write_soon(waits)
    assert await asyncio.to_thread(entered.wait, 60)
    try:
        yield
    finally:
        free.set()
