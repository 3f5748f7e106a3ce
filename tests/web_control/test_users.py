"""Users as resources."""

import pytest
from tests.web_control.conftest import Plane

from servery.core.role import Role

USERS = "/v1/accounts/acme/users"


async def test_a_user_is_made_changed_and_deleted(plane: Plane) -> None:
    """Its keys end with it."""
    body = {"userId": "eve", "user": {"displayName": "Eve", "role": "contributor", "email": "eve@example.org"}}
    made = await plane.call("POST", USERS, body=body)
    assert made == {
        "name": "accounts/acme/users/eve",
        "displayName": "Eve",
        "email": "eve@example.org",
        "role": "contributor",
        "serviceAccount": False,
        "createTime": "2026-11-20T12:00:00.000000Z",
        "state": "READY",
    }
    assert await plane.call("GET", f"{USERS}/eve") == made
    key = await plane.call("POST", f"{USERS}/eve/apiKeys", body={})
    changed = await plane.call("PATCH", f"{USERS}/eve", body={"role": "inference-user"})
    assert changed == {**made, "role": "inference-user"}
    refused = await plane.client.post(f"{USERS}/eve/apiKeys", headers={"x-api-key": key["key"]})
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "A user with the role inference-user may not make API keys of its own.",
    )
    assert await plane.call("DELETE", f"{USERS}/eve") == {}
    assert (await plane.client.get("/v1/models", headers={"x-api-key": key["key"]})).status_code == 401
    await plane.call("GET", f"{USERS}/eve", status=404)
    await plane.call("POST", f"{USERS}/eve/apiKeys", body={}, status=404)


async def test_a_service_account_has_a_made_up_address(plane: Plane) -> None:
    """Of its name, its account and the platform's domain; none can be given."""
    body = {"userId": "ci", "user": {"serviceAccount": True}}
    made = await plane.call("POST", USERS, body=body)
    assert (made["serviceAccount"], made["email"]) == (True, "ci@acme.sa.example.org")
    body = {"userId": "cd", "user": {"serviceAccount": True, "email": "cd@example.org"}}
    await plane.call("POST", USERS, body=body, status=400)


async def test_the_last_admin_stays(plane: Plane) -> None:
    """Nobody locks an account out of itself."""
    assert (await plane.call("DELETE", f"{USERS}/default", status=412))["code"] == 9
    await plane.call("PATCH", f"{USERS}/default", body={"role": "user"}, status=412)


@pytest.mark.parametrize(
    "body", [{}, {"userId": "A b"}, {"userId": "eve", "user": {"role": "king"}}, {"userId": "x", "y": 1}]
)
async def test_a_user_that_cannot_be_is_a_400(plane: Plane, body: object) -> None:
    """Malformed and unknown fields are refused."""
    await plane.call("POST", USERS, body=body, status=400)


async def test_users_come_in_pages(plane: Plane) -> None:
    """As all lists do."""
    await plane.key_of("eve", Role.USER)
    page = await plane.call("GET", f"{USERS}?pageSize=1")
    rest = await plane.call("GET", f"{USERS}?pageSize=1&pageToken={page['nextPageToken']}")
    assert [user["name"] for user in page["users"] + rest["users"]] == [
        "accounts/acme/users/default",
        "accounts/acme/users/eve",
    ]
    assert rest["nextPageToken"] == ""
