"""Crashes under load, for as many rounds as wanted: ``python -m benchmarks.crash --rounds 50 [--seed N]``.

Gateways post without pause; in each round a gateway or PostgreSQL is killed (SIGKILL) at a random moment and started
again. Afterwards every posting that had returned must be in the books, once, with its charge, and the books must hold.
The exit status says whether they do. The same rounds, fewer of them, are part of the tests.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash.rounds import CrashRounds
from tests.postgresql_server import missing, running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="on each database")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None, help="none: another each time")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed  # noqa: S311 - no secret
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "servery.db"
        rounds = CrashRounds(place, Path(directory), gateways=arguments.gateways, seed=seed)
        run("SQLite", rounds, arguments.rounds, [rounds.kill_a_gateway])
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as directory, running_server(durable=True) as server:
        rounds = CrashRounds(
            server.new_database(), Path(directory), gateways=arguments.gateways, seed=seed, server=server
        )
        run("PostgreSQL", rounds, arguments.rounds, [rounds.kill_the_server, rounds.kill_a_gateway])


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
