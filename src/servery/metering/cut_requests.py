"""Requests that were cut: an engine worked on them when their platform ended. They cost nothing."""

from collections.abc import Sequence

import msgspec

from servery.core.clock import Clock
from servery.core.serving_path import ServingPath
from servery.metering.open_request import OpenRequest
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class CutRequest(OpenRequest, frozen=True, kw_only=True):
    """``found_ns``: when the platform's next start found it in the journal."""

    found_ns: int


async def keep_cut_requests(database: Database, clock: Clock, requests: Sequence[OpenRequest]) -> None:
    """Write down what a platform that was killed has left in its journal. Those that were charged are not kept: the
    platform ended after the commit and before the journal knew. Keeping a request again changes nothing."""
    insert = load_queries("servery.metering", "cut_requests.sql")["insert_cut_request"]
    found_ns = clock.wall_ns()

    def operation(connection: Connection) -> None:
        connection.executemany(insert, [{**msgspec.structs.asdict(each), "found_ns": found_ns} for each in requests])

    if requests:
        await database.write(operation)


async def acknowledge_cut_requests(database: Database, clock: Clock) -> int:
    """Tell no more of those that are told of now. Returns how many there were."""
    acknowledge = load_queries("servery.metering", "cut_requests.sql")["acknowledge_cut_requests"]
    acknowledged_ns = clock.wall_ns()
    return await database.change(
        lambda connection: connection.execute(acknowledge, {"acknowledged_ns": acknowledged_ns}).rowcount
    )


def cut_requests(connection: Connection) -> list[CutRequest]:
    """Those that nobody has acknowledged, oldest first."""
    sql = load_queries("servery.metering", "cut_requests.sql")["cut_requests"]
    return [_cut_request(row) for row in connection.execute(sql).fetchall()]


def _cut_request(row: tuple[str, str, str, str, str, str, int, int]) -> CutRequest:
    request_id, account, key_id, model, serving_path, replica, opened_ns, found_ns = row
    return CutRequest(
        request_id=request_id,
        account=account,
        key_id=key_id,
        model=model,
        serving_path=ServingPath(serving_path),
        replica=replica,
        opened_ns=opened_ns,
        found_ns=found_ns,
    )
