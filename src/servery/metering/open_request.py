"""The journal of requests that an engine works on."""

import msgspec

from servery.core.serving_path import ServingPath
from servery.store.connection import Connection
from servery.store.sql import load_queries


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request between its dispatch and its end. One that outlives its platform was cut, and costs nothing."""

    request_id: str
    account: str
    key_id: str
    model: str
    serving_path: ServingPath
    replica: str
    opened_ns: int


def open_requests(connection: Connection) -> list[OpenRequest]:
    """The journal, oldest first: what is in flight now, and what platforms that were killed have left."""
    sql = load_queries("servery.metering", "open_request.sql")["open_requests"]
    return [_open_request(row) for row in connection.execute(sql).fetchall()]


def _open_request(row: tuple[str, str, str, str, str, str, int]) -> OpenRequest:
    request_id, account, key_id, model, serving_path, replica, opened_ns = row
    return OpenRequest(
        request_id=request_id,
        account=account,
        key_id=key_id,
        model=model,
        serving_path=ServingPath(serving_path),
        replica=replica,
        opened_ns=opened_ns,
    )
