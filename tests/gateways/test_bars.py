"""Money and limits of one account at three real gateways. ``benchmarks.gateways`` measures them at full size."""

from pathlib import Path

from tests.gateways.bars import limits_bar, money_bar
from tests.postgresql_server import PostgresqlServer


def test_three_gateways_charge_one_dollar(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    """And what running requests cost beyond their estimates; hardly less, whichever gateway the clients ask."""
    bar = money_bar(tmp_path / "money", postgresql.new_database(), gateways=3, clients=40, seed=1, output_dollars=64.0)
    assert bar.holds, bar.told


def test_three_gateways_give_one_limit(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    """A full bucket and its refill, not three of them."""
    bar = limits_bar(
        tmp_path / "limits", postgresql.new_database(), gateways=3, clients=20, seconds=6.0, seed=1, limit=12_000
    )
    assert bar.holds, bar.told
