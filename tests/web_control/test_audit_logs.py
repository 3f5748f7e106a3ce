"""The audit log: who has changed what."""

import pytest
from tests.web_control.conftest import Plane

from servery.core.role import Role
from servery.store.connection import Connection

LOG = "/v1/accounts/acme/auditLogs"


async def test_what_is_changed_is_noted(plane: Plane) -> None:
    """Who, what, when, by which key, and what came of it; newest first; without secrets."""
    await plane.call("POST", "/v1/accounts/acme/users", body={"userId": "eve"})
    plane.clock.advance(1)
    await plane.call("POST", "/v1/accounts/acme/creditCodes:redeem", body={"code": "sc_secret"}, status=404)
    failed, made = (await plane.call("GET", LOG))["auditLogs"]
    assert made.pop("id").startswith("audit-")
    agent = made.pop("userAgent")
    assert agent.startswith("python-httpx")
    assert made == {
        "method": "POST /v1/accounts/{account}/users",
        "principal": "accounts/acme/users/default",
        "payload": {"userId": "eve"},
        "status": 0,
        "timestamp": "2026-11-20T12:00:00.000000Z",
        "message": "",
        "resource": "accounts/acme/users",
        "isAdminAction": False,
        "clientIp": "127.0.0.1",
        "apiKeyId": plane.acme.api_key.key_id,
    }
    assert (failed["status"], failed["message"]) == (5, "There is no such credit code.")
    assert failed["payload"] == {"code": "***"}


async def test_the_operators_changes_stand_with_the_account(plane: Plane) -> None:
    """And are marked; what a stranger attempts stands with the stranger."""
    await plane.call("POST", "/v1/accounts/acme:suspend", body={"reason": "FAILED_PAYMENTS"}, key=plane.ops)
    await plane.call("POST", "/v1/accounts/acme/users", body={"userId": "x"}, key=plane.beta, status=403)
    (entry,) = (await plane.call("GET", LOG))["auditLogs"]
    assert (entry["principal"], entry["isAdminAction"]) == ("accounts/ops/users/default", True)
    (attempt,) = (await plane.call("GET", "/v1/accounts/beta/auditLogs", key=plane.beta))["auditLogs"]
    assert (attempt["status"], attempt["resource"]) == (7, "accounts/acme/users")


async def test_looking_is_not_noted(plane: Plane) -> None:
    """Only what may change something."""
    for path in ("/v1/accounts/acme", "/v1/accounts/acme/quotas", LOG):
        await plane.call("GET", path)
    assert (await plane.call("GET", LOG))["auditLogs"] == []


async def test_pages_do_not_move(plane: Plane) -> None:
    """Ten to a page; what is added meanwhile is not in the way."""
    for number in range(12):
        await plane.call("POST", "/v1/accounts/acme/users", body={"userId": f"u{number}"})
    first = await plane.call("GET", LOG)
    await plane.call("POST", "/v1/accounts/acme/users", body={"userId": "late"})
    second = await plane.call("GET", f"{LOG}?pageToken={first['nextPageToken']}")
    users = [entry["payload"]["userId"] for entry in first["auditLogs"] + second["auditLogs"]]
    assert users == [f"u{number}" for number in reversed(range(12))]
    assert second["nextPageToken"] == ""
    for query in ("pageToken=x", "pageSize=x"):
        await plane.call("GET", f"{LOG}?{query}", status=400)


async def test_admins_alone_read_it(plane: Plane) -> None:
    """It tells what others do."""
    await plane.call("GET", LOG, key=await plane.key_of("eve", Role.USER), status=403)


@pytest.mark.parametrize("sql", ["UPDATE audit_logs SET status = 1", "DELETE FROM audit_logs"])
async def test_the_log_is_append_only(plane: Plane, sql: str) -> None:
    """The database itself refuses."""
    await plane.call("POST", "/v1/accounts/acme/users", body={"userId": "eve"})

    def operation(connection: Connection) -> None:
        connection.execute(sql)

    with pytest.raises(Exception, match="append-only"):
        await plane.database.write(operation)
