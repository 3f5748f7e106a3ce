"""What an account may spend in a month, as a resource."""

import pytest
from tests.web_control.conftest import Plane

from servery.core.errors import PreconditionFailed
from servery.core.role import Role

QUOTA = "/v1/accounts/acme/quotas/monthly-spend-usd"


async def test_a_quota_is_lowered_and_raised(plane: Plane) -> None:
    """Up to what the tier allows; the most is no limit of one's own, and rises with the tier."""
    first = await plane.call("GET", QUOTA)
    assert first == {
        "name": "accounts/acme/quotas/monthly-spend-usd",
        "value": "50",
        "maxValue": "50",
        "usage": 0.0,
        "updateTime": "2026-11-20T12:00:00.000000Z",
    }
    plane.clock.advance(60)
    lowered = await plane.call("PATCH", QUOTA, body={"value": "20"})
    assert lowered == {**first, "value": "20", "updateTime": "2026-11-20T12:01:00.000000Z"}
    assert (await plane.call("GET", "/v1/accounts/acme/quotas"))["quotas"] == [lowered]
    assert (await plane.call("PATCH", QUOTA, body={"value": 50}))["value"] == "50"
    await plane.call("POST", "/v1/accounts/acme:pinSpendTier", body={"spendTier": 2}, key=plane.ops)
    assert (await plane.call("GET", QUOTA))["value"] == "500"


@pytest.mark.parametrize(
    "body", [{}, {"value": "51"}, {"value": "-1"}, {"value": "²"}, {"value": "1", "maxValue": "9"}]
)
async def test_a_quota_that_cannot_be_is_a_400(plane: Plane, body: object) -> None:
    """More than the tier allows, less than nothing, and what is not understood."""
    await plane.call("PATCH", QUOTA, body=body, status=400)


async def test_who_decides(plane: Plane) -> None:
    """Users read, admins change."""
    eve = await plane.key_of("eve", Role.USER)
    await plane.call("GET", QUOTA, key=eve)
    await plane.call("PATCH", QUOTA, body={"value": "1"}, key=eve, status=403)
    await plane.call("GET", "/v1/accounts/acme/quotas/h100", status=404)


async def test_it_holds_at_once(plane: Plane) -> None:
    """An account that allows itself nothing is suspended by the next request, and resumes by the next."""
    await plane.budgets.learn("acme")
    await plane.call("PATCH", QUOTA, body={"value": "0"})
    with pytest.raises(PreconditionFailed):
        plane.budgets.hold("acme", 1)
    assert (await plane.call("GET", "/v1/accounts/acme"))["suspendState"] == "MONTHLY_SPEND_LIMIT_EXCEEDED"
    assert (await plane.client.get("/v1/models", headers={"x-api-key": plane.acme.key})).status_code == 412
    await plane.call("PATCH", QUOTA, body={"value": "50"})
    plane.budgets.hold("acme", 1).release()
    assert (await plane.client.get("/v1/models", headers={"x-api-key": plane.acme.key})).status_code == 200
