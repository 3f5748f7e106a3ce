"""The audit log: who has changed what."""

import sqlite3
from pathlib import Path

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


@pytest.mark.parametrize("depth", [300, 900, 5_000])
async def test_a_body_that_is_nested_too_deeply_is_refused(plane: Plane, depth: int) -> None:
    """And what was attempted is noted, without it; whether the fault is in a field that is known or in no field."""
    for body in (b"[" * depth + b"]" * depth, b'{"userId":' * depth, b'{"other":' + b"[" * depth + b"]" * depth + b"}"):
        answer = await plane.client.post("/v1/accounts/acme/users", content=body, headers={"x-api-key": plane.acme.key})
        assert (answer.status_code, answer.json()["code"]) == (400, 3), answer.text
        (entry, *_) = (await plane.call("GET", LOG))["auditLogs"]
        assert (entry["method"], entry["status"]) == ("POST /v1/accounts/{account}/users", 3)


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


MODEL = "accounts/servery/models/demo"
USER = {"userId": "eve"}
LIMIT = {"deployment": MODEL, "promptTokensPerMinute": 1000}
PRICE = {"model": MODEL, "price": {"input": "1"}}
CHANGES = {
    "POST /v1/accounts": {"accountId": "other"},
    "PATCH /v1/accounts/{account}": {"displayName": "Acme"},
    "POST /v1/accounts/{account}:suspend": {"reason": "FAILED_PAYMENTS"},
    "POST /v1/accounts/{account}:resume": {},
    "POST /v1/accounts/{account}:pinSpendTier": {"spendTier": 2},
    "POST /v1/accounts/{account}:setPrepaid": {"prepaid": True},
    "POST /v1/accounts/{account}/users": USER,
    "PATCH /v1/accounts/{account}/users/{user}": {"displayName": "Adam"},
    "DELETE /v1/accounts/{account}/users/{user}": {},
    "POST /v1/accounts/{account}/users/{user}/apiKeys": {},
    "POST /v1/accounts/{account}/users/{user}/apiKeys:delete": {"keyId": "ADAMS KEY"},
    "POST /v1/accounts/{account}/apiKeys": {},
    "POST /v1/accounts/{account}/apiKeys:delete": {"keyId": "KEY"},
    "PATCH /v1/accounts/{account}/quotas/{quota}": {"value": "10"},
    "POST /v1/accounts/{account}/webhooks": {"url": "https://example.org/hook"},
    "PATCH /v1/accounts/{account}/webhooks/{webhook}": {"disabled": True},
    "DELETE /v1/accounts/{account}/webhooks/{webhook}": {},
    "POST /v1/accounts/{account}/webhooks/{webhook}:test": {},
    "POST /v1/accounts/{account}/credits:grant": {"amount": {"units": "5", "nanos": 0}},
    "POST /v1/accounts/{account}/creditCodes:redeem": {"code": "CODE"},
    "POST /v1/creditCodes": {"amount": {"units": "5", "nanos": 0}},
    "POST /v1/creditCodes/{code}:disable": {},
    "POST /v1/invoices:close": {"month": "2020-01"},
    "POST /v1/pricing/changes": PRICE,
    "POST /v1/accounts/{account}/serverlessRateLimits:set": LIMIT,
    "POST /v1/accounts/{account}/serverlessRateLimits:clear": {"deployment": MODEL},
}
"""Every call that changes something, with a body."""


async def test_every_call_is_known_to_these_tests(plane: Plane) -> None:
    """Whoever adds one says here whether it changes anything; a question in a body changes nothing."""
    calls = {f"{method} {route.path}" for route in plane.routes for method in route.app.actions if method != "GET"}
    assert calls - {"POST /v1/accounts/{account}/usageCosts:query"} == CHANGES.keys()


@pytest.fixture
async def words(plane: Plane) -> dict[str, str]:
    """Something of each kind to change; what the words in paths and bodies stand for."""
    adam = await plane.key_of("adam", Role.USER)
    hook = await plane.call("POST", "/v1/accounts/acme/webhooks", body=CHANGES["POST /v1/accounts/{account}/webhooks"])
    code = await plane.call("POST", "/v1/creditCodes", body=CHANGES["POST /v1/creditCodes"], key=plane.ops)
    await plane.call("POST", "/v1/accounts/acme/serverlessRateLimits:set", body=LIMIT, key=plane.ops)
    return {
        "{account}": "acme",
        "{user}": "adam",
        "{webhook}": str(hook["name"]).rsplit("/", 1)[-1],
        "{quota}": "monthly-spend-usd",
        "{code}": str(code["name"]).rsplit("/", 1)[-1],
        "ADAMS KEY": adam.api_key.key_id,
        "KEY": plane.acme.api_key.key_id,
        "CODE": str(code["code"]),
    }


def dump(file: Path) -> list[str]:
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    connection.close()
    written_behind = ('INSERT INTO "price_versions', 'INSERT INTO "watermarks')
    return [line for line in lines if not line.startswith(written_behind)]


@pytest.mark.parametrize("change", CHANGES)
async def test_what_cannot_be_noted_is_not_done(
    plane: Plane, words: dict[str, str], tmp_path: Path, change: str
) -> None:
    """Change and entry are one transaction: where the log takes no entry, the database stays as it was; where it does,
    there is one."""
    method, path = change.split(" ")
    for word, meaning in words.items():
        path = path.replace(word, meaning)
    body = {name: words.get(str(value), value) for name, value in CHANGES[change].items()}
    file = tmp_path / "servery.db"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TRIGGER no_entries BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no entries'); END"
        )
    before = dump(file)
    with pytest.raises(sqlite3.IntegrityError, match="no entries"):
        await plane.call(method, path, body=body, key=plane.ops)
    assert dump(file) == before
    connection.execute("DROP TRIGGER no_entries")
    noted = "SELECT count(*) FROM audit_logs WHERE method = ? AND status = 0"
    (count,) = connection.execute(noted, (change,)).fetchone()
    await plane.call(method, path, body=body, key=plane.ops)
    assert connection.execute(noted, (change,)).fetchone() == (count + 1,)
    connection.close()
