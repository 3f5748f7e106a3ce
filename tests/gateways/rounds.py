"""Rounds of a crash test over real gateways: something is killed or cut at a random moment, while clients go on.

After each round every response that a client had to its end is in the books, once, at the price of the tokens that it
was told of; and ``ledger verify`` finds nothing on any node.
"""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from servery.control.books_report import BooksReport
from servery.control.verify_books import verify
from servery.store.database import Database
from tests.gateways.clients import Clients
from tests.gateways.gateway import Gateway, ample_limits, write_catalog
from tests.gateways.wire import Wire
from tests.postgresql_server import PostgresqlServer

INPUT_PICODOLLARS, OUTPUT_PICODOLLARS = 100_000, 8_000_000
_LIMIT_S = 180.0

KINDS = (
    "kill_a_gateway",
    "kill_the_server",
    "stall_a_wire",
    "break_a_wire",
    "kill_a_gateway_without_its_database",
)
"""All kinds of rounds."""


class GatewayRounds:
    """``gateways`` of them on ``server``, each over a wire of its own. A context manager for processes and wires."""

    def __init__(
        self, directory: Path, server: PostgresqlServer, engine_ports: list[int], *, gateways: int, seed: int, port: int
    ) -> None:
        self._server = server
        self._random = random.Random(seed)
        self._seed = seed
        self._directory, self._engine_ports, self._port = directory, engine_ports, port
        self._url = server.new_database()
        self._wires = [Wire(port) for _ in range(gateways)]
        self.gateways: list[Gateway] = []
        self._checked: set[str] = set()

    def clients(self, count: int) -> Clients:
        return Clients([gateway.port for gateway in self.gateways], self.gateways[0].key, count=count, seed=self._seed)

    def __enter__(self) -> Self:
        for wire in self._wires:
            wire.__enter__()
        catalog = write_catalog(self._directory / "catalog.yaml", self._engine_ports)
        for number, wire in enumerate(self._wires):
            url = self._url.replace(f":{self._port}/", f":{wire.port}/")
            budgets = ("--spend-tier-budgets-dollars", "50000,50000,50000,50000")
            self.gateways.append(Gateway(self._directory, number, url, catalog, *ample_limits(), *budgets))
        try:
            for gateway in self.gateways:
                gateway.start()
            for gateway in self.gateways:
                gateway.wait_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gateway in self.gateways:
            gateway.kill()
        for wire in self._wires:
            wire.__exit__(None, None, None)

    def end(self) -> None:
        """In good order."""
        for gateway in self.gateways:
            assert gateway.stop() == 0, gateway.said

    def kill_a_gateway(self) -> None:
        gateway = self._random.choice(self.gateways)
        gateway.kill()
        time.sleep(self._random.uniform(0.0, 0.5))
        gateway.start()
        gateway.wait_ready()

    def kill_the_server(self) -> None:
        self._server.kill()
        time.sleep(self._random.uniform(0.0, 4.0))
        self._server.start()

    def stall_a_wire(self) -> None:
        self._cut(Wire.stall)

    def break_a_wire(self) -> None:
        self._cut(Wire.reset)

    def kill_a_gateway_without_its_database(self) -> None:
        """What it had ended meanwhile lies in its spool, which its next start forwards."""
        number = self._random.randrange(len(self.gateways))
        self._wires[number].reset()
        time.sleep(self._random.uniform(0.0, 4.0))
        self.gateways[number].kill()
        self._wires[number].mend()
        self.gateways[number].start()
        self.gateways[number].wait_ready()

    def run(self, kind: str, clients: Clients) -> None:
        """One round, at a random moment of the load, and what must hold after it."""
        self._wait_given(clients, 50)
        time.sleep(self._random.uniform(0.0, 0.5))
        getattr(self, kind)()
        self._wait_given(clients, 50)
        self.check(clients)

    def check(self, clients: Clients) -> BooksReport:
        """What clients were given until now is in the books, once; the books hold."""
        given = {
            request_id: tokens for request_id, tokens in clients.given.copy().items() if request_id not in self._checked
        }
        deadline = time.monotonic() + _LIMIT_S
        while True:
            charged, twice, report = asyncio.run(self._books())
            if given.keys() <= charged.keys() or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert not twice
        assert report.holds, report.findings
        missing = given.keys() - charged.keys()
        assert not missing, f"{len(missing)} of {len(given)} responses that ended are not in the books: {missing}"
        for request_id, (prompt, generated) in given.items():
            picodollars = prompt * INPUT_PICODOLLARS + generated * OUTPUT_PICODOLLARS
            assert charged[request_id] == picodollars // 1_000
        self._checked |= given.keys()
        return report

    def _cut(self, how: Callable[[Wire], None]) -> None:
        wire = self._random.choice(self._wires)
        how(wire)
        time.sleep(self._random.uniform(0.0, 6.0))
        wire.mend()

    def _wait_given(self, clients: Clients, more: int) -> None:
        wanted, deadline = len(clients.given) + more, time.monotonic() + _LIMIT_S
        while len(clients.given) < wanted:
            assert time.monotonic() < deadline, f"clients are served again: {clients.statuses}"
            time.sleep(0.02)

    async def _books(self) -> tuple[dict[str, int], list[str], BooksReport]:
        async with Database.open(self._url) as database:
            rows = database.reader.execute("SELECT request_id, charge_nanodollars FROM usage_records").fetchall()
            charged = dict(rows)
            return charged, [] if len(charged) == len(rows) else ["twice"], verify(database)
