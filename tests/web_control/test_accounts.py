"""Accounts as resources."""

import pytest
from tests.web_control.conftest import Plane


async def test_the_operator_opens_accounts(plane: Plane) -> None:
    """An account that was opened is there, with its fields; only an operator's key can do it."""
    body = {"accountId": "gamma", "account": {"displayName": "Gamma", "email": "g@example.org"}}
    assert (await plane.call("POST", "/v1/accounts", body=body, status=403))["code"] == 7
    opened = await plane.call("POST", "/v1/accounts", body=body, key=plane.ops)
    assert opened == {
        "name": "accounts/gamma",
        "displayName": "Gamma",
        "email": "g@example.org",
        "createTime": "2026-11-20T12:00:00.000000Z",
        "state": "READY",
        "suspendState": "UNSUSPENDED",
        "spendTier": 1,
        "prepaid": False,
        "notificationSettings": {"monthlySpendThresholds": []},
    }
    assert await plane.call("GET", "/v1/accounts/gamma", key=plane.ops) == opened
    assert (await plane.call("POST", "/v1/accounts", body=body, key=plane.ops, status=409))["code"] == 6


@pytest.mark.parametrize("body", [{}, {"accountId": "A b"}, {"accountId": 3}, {"accountId": "g", "x": 1}, []])
async def test_a_body_that_cannot_be_is_a_400(plane: Plane, body: object) -> None:
    """Missing, malformed and unknown fields are refused, never ignored."""
    assert (await plane.call("POST", "/v1/accounts", body=body, key=plane.ops, status=400))["code"] == 3


async def test_lists_show_what_the_key_may_see(plane: Plane) -> None:
    """All accounts to the operator, its own to any other key."""
    own = await plane.call("GET", "/v1/accounts")
    assert [account["name"] for account in own["accounts"]] == ["accounts/acme"]
    everything = await plane.call("GET", "/v1/accounts", key=plane.ops)
    assert [account["name"] for account in everything["accounts"]] == ["accounts/acme", "accounts/beta", "accounts/ops"]
    assert everything["totalSize"] == 3


async def test_lists_come_in_pages(plane: Plane) -> None:
    """Pages put together are the list; the last one has no token."""
    names: list[str] = []
    token = ""
    for _ in range(2):
        page = await plane.call("GET", f"/v1/accounts?pageSize=2&pageToken={token}", key=plane.ops)
        names += [account["name"] for account in page["accounts"]]
        token = page["nextPageToken"]
    assert names == ["accounts/acme", "accounts/beta", "accounts/ops"]
    assert token == ""


@pytest.mark.parametrize(
    "query", ["pageSize=-1", "pageSize=x", "pageSize=²", "pageToken=x", "pageToken=LTE%3D", "pageToken=OTk5"]
)
async def test_a_page_that_cannot_be_is_a_400(plane: Plane, query: str) -> None:
    """A made-up token or size is refused."""
    await plane.call("GET", f"/v1/accounts?{query}", key=plane.ops, status=400)


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=99999999999999999999", "pageToken=WyJ6eiJd"])
async def test_sizes_are_coerced(plane: Plane, query: str) -> None:
    """Nothing and too much mean the default and the maximum; a page behind the end is empty."""
    await plane.call("GET", f"/v1/accounts?{query}", key=plane.ops)


async def test_the_operator_suspends_and_resumes(plane: Plane) -> None:
    """With a reason that the account can read; its control plane stays open, its list of models does not."""
    body = {"reason": "FAILED_PAYMENTS"}
    await plane.call("POST", "/v1/accounts/acme:suspend", body=body, status=403)
    suspended = await plane.call("POST", "/v1/accounts/acme:suspend", body=body, key=plane.ops)
    assert suspended["suspendState"] == "FAILED_PAYMENTS"
    assert (await plane.call("GET", "/v1/accounts/acme"))["suspendState"] == "FAILED_PAYMENTS"
    refused = await plane.client.get("/v1/models", headers={"x-api-key": plane.acme.key})
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert (await plane.call("POST", "/v1/accounts/acme:resume", key=plane.ops))["suspendState"] == "UNSUSPENDED"
    assert (await plane.client.get("/v1/models", headers={"x-api-key": plane.acme.key})).status_code == 200
    for reason in ("UNSUSPENDED", "LAZY"):
        await plane.call("POST", "/v1/accounts/acme:suspend", body={"reason": reason}, key=plane.ops, status=400)
