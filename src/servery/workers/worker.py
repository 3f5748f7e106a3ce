"""A worker: a whole gateway in a process of its own, with its share of a fleet that the supervisor keeps."""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from servery.app import build
from servery.core.clock import SystemClock
from servery.fleet.replica_news import NewsDesk
from servery.fleet.station import Station
from servery.life import StopSignals, running, spare_the_collector
from servery.settings import LogFormat
from servery.telemetry.announcer import Announcer
from servery.telemetry.log import set_up_logging
from servery.workers.worker_order import WorkerOrder, WorkerReady, read_news, read_order, written


def main() -> None:
    """Serve until standard input closes: the supervisor asks so for an orderly end, and a supervisor that was killed
    cannot help it. A Ctrl-C at the terminal, which concerns a process group, is the supervisor's to handle."""
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_work())


async def _work() -> None:
    orders = await _standard_input()
    order = read_order(await orders.readline())
    desk = NewsDesk()
    logger = set_up_logging(level=order.settings.log_level, as_json=order.settings.log_format is LogFormat.JSON)
    await _serve(order, desk, orders, logger)


async def _serve(order: WorkerOrder, desk: NewsDesk, orders: asyncio.StreamReader, logger: logging.Logger) -> None:
    settings = order.settings
    platform = await build(
        settings,
        # What the engines do concerns all workers alike: one of them tells of it.
        announcer=Announcer(sys.stderr if order.share.index == 0 else None),
        logger=logger,
        clock=SystemClock(),
        station=Station(share=order.share, desk=desk),
    )
    await platform.listener.start(settings.host, settings.port, shared=True)
    signals = StopSignals(platform.listener)
    async with running(platform) as fleet:
        told = asyncio.create_task(_hear(orders, desk), name="news")
        ready = asyncio.create_task(platform.foundation.fleet.wait_until_started())
        stop = asyncio.create_task(signals.asked.wait())
        await asyncio.wait({ready, told, stop, fleet}, return_when=asyncio.FIRST_COMPLETED)
        spare_the_collector()
        if ready.done():
            sys.stdout.buffer.write(written(WorkerReady(os.getpid())))
            sys.stdout.buffer.flush()
        ready.cancel()
        await asyncio.wait({told, stop, fleet}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        stop.cancel()


async def _hear(lines: asyncio.StreamReader, desk: NewsDesk) -> None:
    """Pass on the supervisor's news until it has no more: until it wants this worker to end."""
    while line := await lines.readline():
        desk.tell(read_news(line))


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    main()
