"""Webhooks as resources."""

import pytest
from tests.web_control.conftest import Plane

HOOKS = "/v1/accounts/acme/webhooks"


async def test_a_webhook_is_made_tried_and_deleted(plane: Plane) -> None:
    """Its secret is shown once; what was sent to it can be looked up."""
    body = {"url": "https://example.org/hook", "events": ["credit.low"]}
    made = await plane.call("POST", HOOKS, body=body)
    assert made.pop("secret").startswith("whsec_")
    assert (made["url"], made["events"], made["disabled"]) == ("https://example.org/hook", ["credit.low"], False)
    path = f"/v1/{made['name']}"
    assert await plane.call("GET", path) == made
    assert (await plane.call("GET", HOOKS))["webhooks"] == [made]
    assert await plane.call("POST", f"{path}:test") == {}
    (delivery,) = (await plane.call("GET", f"{path}/deliveries"))["deliveries"]
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == ("webhook.test", "PENDING", 0)
    disabled = await plane.call("PATCH", path, body={"disabled": True})
    assert (disabled["disabled"], disabled["disabledReason"]) == (True, "disabled by the account")
    assert (await plane.call("GET", f"{path}/deliveries"))["deliveries"][0]["state"] == "FAILED"
    assert await plane.call("PATCH", path, body={"disabled": False}) == made
    await plane.call("GET", path.replace("acme", "beta"), key=plane.beta, status=404)
    assert await plane.call("DELETE", path) == {}
    await plane.call("GET", path, status=404)


@pytest.mark.parametrize("body", [{}, {"url": "ftp://x"}, {"url": "https://x", "events": ["weather"]}])
async def test_a_webhook_that_cannot_be_is_a_400(plane: Plane, body: object) -> None:
    """No URL, none that is reached by HTTP, and events that there are not."""
    await plane.call("POST", HOOKS, body=body, status=400)
