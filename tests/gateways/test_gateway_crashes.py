"""Real gateways, PostgreSQL and the network between them are killed and cut at random, under real clients. Two rounds
of what ``make test-crash`` does in fifty."""

import os
from pathlib import Path

import pytest

from tests.gateways.gateway import free_port, mock_engines
from tests.gateways.rounds import GatewayRounds
from tests.postgresql_server import missing, running_server

SEED = int(os.environ.get("CRASH_SEED", "1"))


def test_every_response_that_ended_is_in_the_books(tmp_path: Path) -> None:
    """Whatever is killed or cut while it runs; once, at the price of the tokens that its client was told of. In the end
    nothing is left in a spool, and the command finds the books clean on each node."""
    if reason := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    port = free_port()
    with (
        running_server(durable=True, port=port) as server,
        mock_engines() as engine_ports,
        GatewayRounds(tmp_path, server, engine_ports, gateways=2, seed=SEED, port=port) as rounds,
    ):
        with rounds.clients(16) as clients:
            for kind in ("kill_the_server", "kill_a_gateway_without_its_database"):
                rounds.run(kind, clients)
        rounds.check(clients)
        assert [gateway.spooled() for gateway in rounds.gateways] == [0, 0]
        rounds.end()
        assert len(clients.given) >= 200  # for which the rounds have waited
