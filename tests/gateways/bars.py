"""An account's money and limits at several real gateways, measured in the books."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from servery.store.database import Database
from tests.gateways.clients import Clients
from tests.gateways.gateway import MODEL, Gateway, ample_limits, mock_engines, write_catalog

DOLLAR = 1_000_000_000
_LIMIT_S = 300.0
_REFUSALS = 20
"""How often a client is refused, on an average, until it counts: however slow the machine, it has tried."""


class MeasuredBar(msgspec.Struct, frozen=True):
    """``found`` is at most ``bound``, and not far below it."""

    told: str
    found: float
    bound: float
    least: float

    @property
    def holds(self) -> bool:
        return self.least <= self.found <= self.bound


@contextmanager
def running(
    directory: Path, url: str, *, gateways: int, output_dollars: float, after: Sequence[str] = ()
) -> Iterator[list[Gateway]]:
    """So many of them, for the block. What the command ``after`` changes, all of them find when they start."""
    directory.mkdir()
    with mock_engines(gap_ms=1.0) as ports:
        catalog = write_catalog(directory / "catalog.yaml", ports, output_dollars=output_dollars)
        running = [Gateway(directory, number, url, catalog, *ample_limits()) for number in range(gateways)]
        try:
            if after:
                _prepare(running[0], after)
            for gateway in running:
                gateway.start()
            for gateway in running:
                gateway.wait_ready()
            yield running
            for gateway in running:
                assert gateway.stop() == 0, gateway.said
        finally:
            for gateway in running:
                gateway.kill()


def _prepare(gateway: Gateway, command: Sequence[str]) -> None:
    """Its first start opens the account that ``command`` is about."""
    gateway.start()
    gateway.wait_ready()
    done = gateway.command(*command)
    assert done.returncode == 0, done.stderr
    assert gateway.stop() == 0, gateway.said


def wait_forwarded(fleet: list[Gateway]) -> None:
    """Until no spool holds anything; where many share few cores, a commit may take so long that one was used."""
    deadline = time.monotonic() + _LIMIT_S
    while any(gateway.spooled() for gateway in fleet):
        assert time.monotonic() < deadline


def wait_spent(asking: Clients, *, clients: int) -> None:
    """Until nothing was served for three seconds in which each client was refused for want of money, and often: then
    no gateway is about to lend another what it has left."""
    deadline, still_since, seen, refused = time.monotonic() + _LIMIT_S, time.monotonic(), 0, 0
    while time.monotonic() - still_since < 3.0 or asking.statuses[412] - refused < _REFUSALS * clients:
        assert time.monotonic() < deadline, asking.statuses
        if len(asking.given) > seen:
            seen, still_since, refused = len(asking.given), time.monotonic(), asking.statuses[412]
        time.sleep(0.1)


def money_bar(
    directory: Path, url: str, *, gateways: int, clients: int, seed: int, output_dollars: float = 16.0
) -> MeasuredBar:
    """An account with one dollar, until nothing is served any more."""
    one_dollar = ("account", "limit", "default", "1")
    with running(directory, url, gateways=gateways, output_dollars=output_dollars, after=one_dollar) as fleet:
        with Clients([one.port for one in fleet], fleet[0].key, count=clients, seed=seed) as asking:
            wait_spent(asking, clients=clients)
        wait_forwarded(fleet)
    ((charged, largest),) = _rows(url, "SELECT sum(charge_nanodollars), max(charge_nanodollars) FROM usage_records")
    return MeasuredBar(
        told=f"money: {gateways} gateways, {clients} clients, $1 left: charged ${charged / DOLLAR:.9f} by"
        f" {len(asking.given):,} responses; answers by status {dict(sorted(asking.statuses.items()))}",
        found=charged,
        bound=DOLLAR + clients * largest,  # what running requests cost beyond their estimates, if all of it was
        least=0.99 * DOLLAR,
    )


def limits_bar(
    directory: Path, url: str, *, gateways: int, clients: int, seconds: float, seed: int, limit: int = 60_000
) -> MeasuredBar:
    """``limit`` generated tokens a minute: what ends in any window of the run, over what one gateway would give. It
    goes on for ``seconds``, and until every client was refused some times."""
    fixed = ("limits", "set", MODEL, "--account", "default", "--generated", str(limit))
    with running(directory, url, gateways=gateways, output_dollars=0.01, after=fixed) as fleet:
        with Clients(
            [one.port for one in fleet], fleet[0].key, count=clients, seed=seed, max_tokens=(20, 60)
        ) as asking:
            time.sleep(seconds)
            deadline = time.monotonic() + _LIMIT_S
            while asking.statuses[429] < _REFUSALS * clients:
                assert time.monotonic() < deadline, asking.statuses
                time.sleep(0.1)
        wait_forwarded(fleet)
    rows = _rows(url, "SELECT finished_ns, generated_tokens FROM usage_records ORDER BY finished_ns")
    ends = [(finished_ns / 1e9, tokens) for finished_ns, tokens in rows]
    worst = _largest_share(ends, limit=limit)
    got = sum(tokens for _, tokens in ends)
    allowed = limit * (1 + (ends[-1][0] - ends[0][0]) / 60)
    return MeasuredBar(
        told=f"limits: {gateways} gateways, {clients} clients, {seconds:.0f} s, {limit:,} generated tokens a minute:"
        f" got {got:,}, one gateway gives {allowed:,.0f}; in no window more than {worst:.4f} of that; answers by status"
        f" {dict(sorted(asking.statuses.items()))}",
        found=max(worst, got / allowed),
        bound=1.0 + 60 * clients / limit,
        least=0.9,
    )


def _largest_share(ends: list[tuple[float, int]], *, limit: int) -> float:
    """Of what a full bucket and its refill allow in a window, over all windows that begin and end with a response."""
    sums = list(itertools.accumulate((tokens for _, tokens in ends), initial=0))
    starts = range(0, len(ends), max(1, len(ends) // 200))
    return max(
        (sums[until + 1] - sums[since]) / (limit * (1 + (ends[until][0] - ends[since][0]) / 60))
        for since in starts
        for until in range(since, len(ends))
    )


def _rows(url: str, sql: str) -> list[tuple[int, ...]]:
    async def read() -> list[tuple[int, ...]]:
        async with Database.open(url) as database:
            return database.reader.execute(sql).fetchall()

    return asyncio.run(read())
