"""What it costs to post a request: ``python -m benchmarks.posting [--database postgresql://...]``.

Two measurements on one event loop, each in a fresh process and database, on SQLite and on PostgreSQL (the given one, or
a server of its own where PostgreSQL is installed):

- *flat out*: as many clients as given, each opening a request in the journal and awaiting its posting, again and again;
  until all of it is in the database;
- *paced*: postings at a given rate, as a gateway makes them. Reported is how long ``Meter.post`` takes (the latency
  that is added at a response's end), and the processor time of the whole process for each posting, less that of the
  same loop when the usage records are made and thrown away.

``--release database`` lets the end of a response wait for the database's commit instead of the spool.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from tests.postgresql_server import missing, running_server

from servery.billing.price_versions import PriceVersions
from servery.billing.spending import Spending
from servery.core.clock import SystemClock
from servery.core.ids import RequestIds, pseudo_random_bits
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.life import spare_the_collector
from servery.metering.feed import Feed
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.spool import Spool
from servery.metering.usage_record import UsageRecord
from servery.metering.usage_table import UsageTable
from servery.store.database import Database

MODEL = "accounts/servery/models/qwen3-30b-a3b"
PATH = ServingPath.STANDARD
PRICE = Price(950_000, 475_000, 4_000_000)
TICK_S = 0.001


class Requests:
    """Makes usage records, as the request path does whether they are posted or not."""

    def __init__(self, price_id: str) -> None:
        self._price_id = price_id
        self._request_ids = RequestIds(pseudo_random_bits())
        self._made = 0

    def next(self) -> UsageRecord:
        self._made += 1
        now_ns = time.time_ns()
        return UsageRecord(
            request_id=self._request_ids.new(),
            account=f"account-{self._made % 20}",
            key_id="key_0123456789abcdef01234567",
            model=MODEL,
            serving_path=PATH,
            price_id=self._price_id,
            usage=Usage(1_000 + self._made % 97, 100, 37, 5),
            outcome=Outcome.COMPLETED,
            started_ns=now_ns,
            finished_ns=now_ns,
            replica="shared-0",
            queue_wait_us=12,
            time_to_first_token_us=31_456,
        )

    async def discard(self) -> None:
        """What is left of a posting when nothing is posted."""
        self.next()
        await asyncio.sleep(0)


class Posting:
    """One gateway's meter over a database."""

    def __init__(self, meter: Meter, feed: Feed, requests: Requests) -> None:
        self._meter = meter
        self._feed = feed
        self._requests = requests
        self.latencies_s: list[float] = []

    async def __call__(self) -> None:
        record = self._requests.next()
        begun_s = time.perf_counter()
        self._meter.opened(
            record.request_id,
            account=record.account,
            key_id=record.key_id,
            model=record.model,
            path=record.serving_path,
            replica=record.replica,
        )
        await self._meter.post(record, PRICE)
        self.latencies_s.append(time.perf_counter() - begun_s)

    async def finish(self) -> None:
        """Until all of it is in the database."""
        await self._feed.all()


async def flat_out(post: Posting, *, clients: int, seconds: float) -> dict[str, float]:
    posted, end_s = 0, time.perf_counter() + seconds

    async def client() -> None:
        nonlocal posted
        while time.perf_counter() < end_s:
            await post()
            posted += 1

    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    await post.finish()
    took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return {"requests_per_s": posted / took_s, "cpu_us": cpu_s / posted * 1e6}


async def paced(work: Callable[[], Awaitable[None]], *, rate_per_s: int, seconds: float) -> dict[str, float]:
    """A task for each piece of work, begun on time in rounds of a millisecond."""
    begun_s, begun_cpu_s, done = time.perf_counter(), time.process_time(), 0
    running: set[asyncio.Future[None]] = set()
    while (elapsed_s := time.perf_counter() - begun_s) < seconds:
        while done < elapsed_s * rate_per_s:
            task = asyncio.ensure_future(work())
            running.add(task)
            task.add_done_callback(running.discard)
            done += 1
        await asyncio.sleep(TICK_S)
    await asyncio.gather(*running)
    return {"requests_per_s": done / seconds, "cpu_us": (time.process_time() - begun_cpu_s) / done * 1e6}


async def measure(arguments: argparse.Namespace, directory: Path) -> dict[str, float]:
    spare_the_collector()
    if arguments.part == "idle":
        return await paced(Requests("price").discard, rate_per_s=arguments.rate[0], seconds=arguments.seconds)
    clock = SystemClock()
    async with Database.open(arguments.database or directory / "servery.db") as database:
        price_id = await PriceVersions(database, clock).record(MODEL, PATH, PRICE)
        spool = Spool.open(directory / "spool", most=1_000_000)
        spending = Spending(database, clock, writer="benchmark")
        spool_after_s = 2.0 if arguments.release == "database" else 0.0
        journal = Journal.open(directory / "journal")
        meter = Meter(database, clock, journal, spending, spool, spool_after_s=spool_after_s)
        post = Posting(meter, Feed(spool, database, UsageTable(spending)), Requests(price_id))
        if arguments.part == "flat":
            return await flat_out(post, clients=arguments.clients, seconds=arguments.seconds)
        figures = await paced(post, rate_per_s=arguments.rate[0], seconds=arguments.seconds)
        await post.finish()
        await spool.close()
        waits_s = sorted(post.latencies_s)
        for percent in (50, 99):
            figures[f"p{percent}_ms"] = waits_s[len(waits_s) * percent // 100] * 1e3
        return figures


def in_a_process(part: str, arguments: argparse.Namespace, *, rate: int, database: str | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.posting", "--part", part, "--rate", str(rate)]
    command += [
        "--release",
        arguments.release,
        "--clients",
        str(arguments.clients),
        "--seconds",
        str(arguments.seconds),
    ]
    command += [] if database is None else ["--database", database]
    figures: dict[str, float] = json.loads(subprocess.check_output(command))
    return figures


def report(name: str, arguments: argparse.Namespace, new_database: Callable[[], str | None]) -> None:
    flat = in_a_process("flat", arguments, rate=1, database=new_database())
    print(f"{name}, {arguments.clients} clients flat out: {flat['requests_per_s']:,.0f} requests/s in the database")
    for rate in arguments.rate:
        idle = in_a_process("idle", arguments, rate=rate, database=None)
        load = in_a_process("paced", arguments, rate=rate, database=new_database())
        print(
            f"{name} at {load['requests_per_s']:,.0f} requests/s: {load['cpu_us'] - idle['cpu_us']:.1f} us CPU each,"
            f" added latency p50 {load['p50_ms']:.2f} ms, p99 {load['p99_ms']:.2f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a PostgreSQL URL; none: a server of its own")
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--rate", type=int, nargs="+", default=[2_000, 5_000], help="postings a second, paced")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--release", choices=["spool", "database"], default="spool")
    parser.add_argument("--part", choices=["flat", "paced", "idle"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        with tempfile.TemporaryDirectory() as directory, contextlib.closing(uvloop.new_event_loop()) as loop:
            print(json.dumps(loop.run_until_complete(measure(arguments, Path(directory)))))
        return
    report("SQLite", arguments, lambda: None)
    if arguments.database is not None:
        report("PostgreSQL", arguments, lambda: arguments.database)
    elif reason := missing():
        print(reason)
    else:
        with running_server(durable=True) as server:
            report("PostgreSQL", arguments, server.new_database)


if __name__ == "__main__":
    main()
