"""Crashes at random times, under load: zero missing, zero double, books that hold. ``make test-crash`` makes more of
them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.rounds import CrashRounds
from tests.postgresql_server import missing, running_server

SEED = int(os.environ.get("CRASH_SEED", "1"))


@pytest.fixture
def fails_or_skips() -> Callable[[], None]:
    def check() -> None:
        if reason := missing():
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)

    return check


def test_gateways_are_killed_over_sqlite(tmp_path: Path) -> None:
    """Two processes on one file, one of which is killed each time: every posting that had returned is in the books
    once, what was cut is told of and was not charged."""
    rounds = CrashRounds(tmp_path / "servery.db", tmp_path, gateways=2, seed=SEED)
    for _ in range(3):
        rounds.kill_a_gateway()
    rounds.end()
    said, report = rounds.check()
    assert said > 100
    assert report.cut_requests


def test_gateways_and_postgresql_are_killed(tmp_path: Path, fails_or_skips: Callable[[], None]) -> None:
    """The same where the server is killed as well, and comes back while they go on."""
    fails_or_skips()
    with running_server(durable=True) as server:
        rounds = CrashRounds(server.new_database(), tmp_path, gateways=2, seed=SEED, server=server)
        for _ in range(2):
            rounds.kill_the_server()
            rounds.kill_a_gateway()
        rounds.end()
        said, _ = rounds.check()
        assert said > 100
