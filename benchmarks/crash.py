"""Crashes under load, for as many rounds as wanted: ``python -m benchmarks.crash --rounds 50 [--seed N]``.

First processes post without pause; in each round one of them or PostgreSQL is killed (SIGKILL) at a random moment and
started again. Afterwards every posting that had returned must be in the books, once, with its charge, and the books
must hold. Then the same with whole gateways (``servery serve``) on PostgreSQL under HTTP clients, where the network
between a gateway and its database is cut, too; after each round every response that a client had to its end must be in
the books.
The exit status says whether all of it is so. The same rounds, fewer of them, are part of the tests. ``--only gateways``
leaves the first part out.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash.rounds import CrashRounds
from tests.gateways.gateway import free_port, mock_engines
from tests.gateways.rounds import KINDS, GatewayRounds
from tests.postgresql_server import missing, running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="on each database")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None, help="none: another each time")
    parser.add_argument("--only", choices=("postings", "gateways"))
    parser.add_argument("--clients", type=int, default=16, help="of whole gateways")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed  # noqa: S311 - no secret
    print(f"seed {seed}")
    if arguments.only != "gateways":
        crash_postings(arguments.rounds, gateways=arguments.gateways, seed=seed)
    if arguments.only != "postings":
        crash_gateways(arguments.rounds, gateways=arguments.gateways, clients=arguments.clients, seed=seed)


def crash_postings(count: int, *, gateways: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "servery.db"
        rounds = CrashRounds(place, Path(directory), gateways=gateways, seed=seed)
        run("SQLite", rounds, count, [rounds.kill_a_gateway])
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as directory, running_server(durable=True) as server:
        rounds = CrashRounds(server.new_database(), Path(directory), gateways=gateways, seed=seed, server=server)
        run("PostgreSQL", rounds, count, [rounds.kill_the_server, rounds.kill_a_gateway])


def crash_gateways(count: int, *, gateways: int, clients: int, seed: int) -> None:
    if reason := missing():
        raise SystemExit(reason)
    port, chance, begun_s = free_port(), random.Random(seed), time.monotonic()  # noqa: S311 - no secret
    with (
        tempfile.TemporaryDirectory() as directory,
        running_server(durable=True, port=port) as server,
        mock_engines() as engine_ports,
        GatewayRounds(Path(directory), server, engine_ports, gateways=gateways, seed=seed, port=port) as rounds,
    ):
        with rounds.clients(clients) as asking:
            for number in range(count):
                kind = chance.choice(KINDS)
                rounds.run(kind, asking)
                print(f"\rgateways: round {number + 1} of {count}, {kind:40}", end="", flush=True)
        report = rounds.check(asking)
        left = sum(gateway.spooled() for gateway in rounds.gateways)
        rounds.end()
    print(
        f"\rgateways: {count} rounds in {time.monotonic() - begun_s:.0f} s; {len(asking.given):,} responses ended, none"
        f" missing, none twice; {report.usage_records:,} in the books, which hold; {left} left in spools;"
        f" {len(report.cut_requests):,} were cut; answers by status (0: broken off): {dict(asking.statuses)}"
    )


def run(name: str, rounds: CrashRounds, count: int, kinds: list[Callable[[], None]]) -> None:
    begun_s = time.monotonic()
    for number in range(count):
        kinds[number % len(kinds)]()
        print(f"\r{name}: round {number + 1} of {count}", end="", flush=True)
    rounds.end()
    said, report = rounds.check()
    print(
        f"\r{name}: {count} rounds in {time.monotonic() - begun_s:.0f} s; {said:,} postings were told of, none missing,"
        f" none twice; {report.usage_records:,} in the books, which hold; {len(report.cut_requests):,} were cut"
    )


if __name__ == "__main__":
    main()
