"""API keys as resources."""

import pytest
from tests.web_control.conftest import Plane

from servery.core.role import Role

KEYS = "/v1/accounts/acme/users/default/apiKeys"


async def test_a_key_is_made_used_and_deleted(plane: Plane) -> None:
    """A new key works at once; deleted, it is refused from the next request on and no longer listed."""
    body = {"apiKey": {"displayName": "ci", "expireTime": "2027-01-01T00:00:00+01:00"}}
    created = await plane.call("POST", KEYS, body=body)
    assert created["keyId"].startswith("key_")
    assert created["prefix"] == created["key"][:8]
    assert (created["displayName"], created["expireTime"]) == ("ci", "2026-12-31T23:00:00.000000Z")
    assert (await plane.client.get(KEYS, headers={"x-api-key": created["key"]})).status_code == 200
    assert await plane.call("POST", f"{KEYS}:delete", body={"keyId": created["keyId"]}) == {}
    assert (await plane.client.get(KEYS, headers={"x-api-key": created["key"]})).status_code == 401
    assert [key["keyId"] for key in (await plane.call("GET", KEYS))["apiKeys"]] == [plane.acme.api_key.key_id]


async def test_users_have_keys_of_their_own(plane: Plane) -> None:
    """Without naming a user, a key makes, sees and deletes its own user's; an admin sees and deletes all."""
    eve, bob = await plane.key_of("eve", Role.USER), await plane.key_of("bob", Role.CONTRIBUTOR)
    made = await plane.call("POST", "/v1/accounts/acme/apiKeys", body={}, key=eve)
    assert made["user"] == "accounts/acme/users/eve"
    seen = await plane.call("GET", "/v1/accounts/acme/users/eve/apiKeys", key=eve)
    assert await plane.call("GET", "/v1/accounts/acme/apiKeys", key=eve) == seen
    assert {key["keyId"] for key in seen["apiKeys"]} == {eve.api_key.key_id, made["keyId"]}
    await plane.call("GET", "/v1/accounts/acme/users/eve/apiKeys", key=bob, status=403)
    await plane.call("POST", "/v1/accounts/acme/apiKeys:delete", body={"keyId": made["keyId"]}, key=bob, status=404)
    every = await plane.call("GET", "/v1/accounts/acme/apiKeys")
    assert {key["user"].rsplit("/", 1)[1] for key in every["apiKeys"]} == {"default", "eve", "bob"}
    await plane.call("POST", "/v1/accounts/acme/apiKeys:delete", body={"keyId": made["keyId"]})
    foreign = await plane.call("POST", "/v1/accounts/acme/apiKeys", body={}, key=plane.ops)
    assert foreign["user"] == "accounts/acme/users/default"


async def test_a_secret_is_shown_once(plane: Plane) -> None:
    """A list tells a key's beginning, not the key."""
    plane.clock.advance(1)
    created = await plane.call("POST", KEYS, body={})
    listed = (await plane.call("GET", KEYS))["apiKeys"]
    assert [key["keyId"] for key in listed] == [plane.acme.api_key.key_id, created["keyId"]]
    assert all("key" not in key for key in listed)
    assert "expireTime" not in listed[1], "it does not expire"


async def test_a_key_ends_when_it_said(plane: Plane) -> None:
    """An expiry is honoured to the second."""
    created = await plane.call("POST", KEYS, body={"apiKey": {"expireTime": "2026-11-20T12:01:00Z"}})
    headers = {"x-api-key": created["key"]}
    plane.clock.advance(59)
    assert (await plane.client.get(KEYS, headers=headers)).status_code == 200
    plane.clock.advance(1)
    assert (await plane.client.get(KEYS, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "expire_time",
    ["2026-11-20T12:00:00Z", "2026-12-31T00:00:00", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", "soon", 3],
)
async def test_an_expiry_that_cannot_be_is_a_400(plane: Plane, expire_time: object) -> None:
    """Past, without an offset, beyond what can be counted, or no moment at all."""
    await plane.call("POST", KEYS, body={"apiKey": {"expireTime": expire_time}}, status=400)


async def test_a_key_cannot_make_itself_an_operator(plane: Plane) -> None:
    """There is no such field."""
    await plane.call("POST", KEYS, body={"apiKey": {"admin": True}}, status=400)
