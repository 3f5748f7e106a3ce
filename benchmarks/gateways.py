"""What several gateways on one PostgreSQL promise of an account's money and limits: ``python -m benchmarks.gateways``.

Real gateways (``servery serve``) over mock engines, on a PostgreSQL of the benchmark's own, under clients that ask
without pause at all of them. *Money*: an account that may spend one dollar, until only refusals come: what is charged
is at most the dollar and what running requests cost beyond their estimates. *Limits*: an account with a fixed limit of
generated tokens, for a minute: what it gets in any window is at most what one gateway would give, a full bucket and its
refill. The exit status says whether both hold. The same, smaller, is part of the tests.
"""

import argparse
import tempfile
from pathlib import Path

from tests.gateways.bars import limits_bar, money_bar
from tests.postgresql_server import missing, running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="for limits: how long clients ask")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as directory, running_server(durable=True) as server:
        money = money_bar(
            Path(directory) / "money",
            server.new_database(),
            gateways=arguments.gateways,
            clients=arguments.clients,
            seed=arguments.seed,
        )
        print(money.told, flush=True)
        limits = limits_bar(
            Path(directory) / "limits",
            server.new_database(),
            gateways=arguments.gateways,
            clients=arguments.clients,
            seconds=arguments.seconds,
            seed=arguments.seed,
        )
        print(limits.told, flush=True)
    if not (money.holds and limits.holds):
        raise SystemExit("a bar does not hold")


if __name__ == "__main__":
    main()
