"""Who may see what."""

import pytest
from tests.web_control.conftest import Plane

PATHS = [
    "/v1/accounts/beta",
    "/v1/accounts/beta/models",
    "/v1/accounts/beta/apiKeys",
    "/v1/accounts/beta/users",
    "/v1/accounts/beta/users/default",
    "/v1/accounts/beta/users/default/apiKeys",
    "/v1/accounts/beta/billingUsage",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_sees_its_own_account_only(plane: Plane, path: str) -> None:
    """Another account's paths are forbidden, and the same for one that does not exist; the operator sees all."""
    forbidden = await plane.call("GET", path, status=403)
    assert forbidden["code"] == 7
    unknown = await plane.call("GET", path.replace("beta", "nobody"), status=403)
    assert unknown["message"] == str(forbidden["message"]).replace("beta", "nobody")
    await plane.call("GET", path, key=plane.beta)
    await plane.call("GET", path, key=plane.ops)


async def test_keys_of_another_account_can_be_neither_made_nor_deleted(plane: Plane) -> None:
    """Writing is as closed as reading, by either spelling of the path."""
    for path in ("/v1/accounts/beta/apiKeys", "/v1/accounts/beta/users/default/apiKeys"):
        await plane.call("POST", path, body={"apiKey": {}}, status=403)
        await plane.call("POST", f"{path}:delete", body={"keyId": plane.beta.api_key.key_id}, status=403)
    own = "/v1/accounts/acme/apiKeys:delete"
    await plane.call("POST", own, body={"keyId": plane.beta.api_key.key_id}, status=404)
    await plane.call("GET", "/v1/accounts/beta", key=plane.beta)


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/accounts/acme", "/v1/accounts/acme/apiKeys"])
async def test_nothing_is_shown_without_a_good_key(plane: Plane, path: str) -> None:
    """No key and a wrong key are refused with 401, before anything about the path is told."""
    for headers in ({}, {"authorization": "Bearer sv_wrong"}, {"authorization": "Basic abc"}, {"x-api-key": " "}):
        response = await plane.client.delete(path, headers=headers)
        assert response.status_code == 401
        assert response.json()["code"] == 16


async def test_a_key_may_come_as_x_api_key(plane: Plane) -> None:
    """Both headers are understood, the scheme in any case."""
    for headers in ({"x-api-key": plane.acme.key}, {"authorization": f"bearer {plane.acme.key}"}):
        assert (await plane.client.get("/v1/accounts/acme", headers=headers)).status_code == 200


async def test_a_method_that_a_path_does_not_have(plane: Plane) -> None:
    """405 with the methods that it does have."""
    answer = await plane.client.put("/v1/accounts", headers={"x-api-key": plane.acme.key})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST, HEAD"
    assert answer.json()["code"] == 12


@pytest.mark.parametrize(
    "path", ["/v1/models", "/inference/v1/models/accounts/servery/models/demo", "/v1/accounts/acme"]
)
async def test_what_can_be_read_has_a_head(plane: Plane, path: str) -> None:
    """As a GET would be answered, refusals too; and it is noted as little."""
    asked = {"x-api-key": plane.acme.key}
    whole, head = await plane.client.get(path, headers=asked), await plane.client.head(path, headers=asked)
    assert (head.status_code, head.headers["content-length"]) == (200, whole.headers["content-length"])
    assert (await plane.client.head(path)).status_code == 401
    assert (await plane.call("GET", "/v1/accounts/acme/auditLogs"))["auditLogs"] == []


async def test_what_is_only_written_has_no_head(plane: Plane) -> None:
    """405, as before."""
    refused = await plane.client.head("/v1/accounts/acme/creditCodes:redeem", headers={"x-api-key": plane.acme.key})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
