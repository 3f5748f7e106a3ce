"""What several gateways on one PostgreSQL do for each other."""

import json
import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.gateways.gateway import Gateway, ample_limits, mock_engines, write_catalog
from tests.postgresql_server import PostgresqlServer


@pytest.fixture(scope="module")
def pair(postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """Started at the same time, on a database that neither has seen."""
    directory, url = tmp_path_factory.mktemp("pair"), postgresql.new_database()
    with mock_engines() as ports:
        catalog = write_catalog(directory / "catalog.yaml", ports)
        gateways = [Gateway(directory, number, url, catalog, *ample_limits()) for number in range(2)]
        for gateway in gateways:
            gateway.start()
        for gateway in gateways:
            gateway.wait_ready()
        yield gateways
        for gateway in gateways:
            assert gateway.stop() == 0, gateway.said


def asked(gateway: Gateway, path: str, key: str, body: object = None, method: str | None = None) -> int:
    """The status."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{gateway.port}{path}", data=data, headers=headers, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_both_start_on_a_new_database(pair: list[Gateway]) -> None:
    """One migrates it while the other waits; both open the first account, and a key of either is good at both."""
    for gateway in pair:
        for other in pair:
            assert asked(other, "/inference/v1/models", gateway.key) == 200


def test_a_change_is_noticed_at_the_other_gateway(pair: list[Gateway]) -> None:
    """A key that is used there, and then revoked here, is soon refused there."""
    first, second = pair
    made = first.command("key", "create", "--account", "default", "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    assert asked(second, "/inference/v1/models", key["key"]) == 200
    revoked = "/v1/accounts/default/users/default/apiKeys:delete"
    deadline_s = time.monotonic() + 60.0
    assert asked(first, revoked, first.key, {"keyId": key["key_id"]}) == 200
    while asked(second, "/inference/v1/models", key["key"]) == 200:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
