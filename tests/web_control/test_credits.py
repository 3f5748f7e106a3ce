"""Credits as resources."""

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, post_requests
from tests.web_control.conftest import Plane

ACME = "/v1/accounts/acme"


async def test_credits_are_given_used_and_shown(plane: Plane) -> None:
    """By the operator; what is used shows in the month."""
    body = {"amount": {"units": "2", "nanos": 500_000_000}, "description": "welcome"}
    await plane.call("POST", f"{ACME}/credits:grant", body=body, status=403)
    given = await plane.call("POST", f"{ACME}/credits:grant", body=body, key=plane.ops)
    assert given["amount"] == {"currencyCode": "USD", "units": "2", "nanos": 500_000_000}
    await post_requests(plane.database, plane.clock, plane.acme)
    has = await plane.call("GET", f"{ACME}/credits")
    assert has["creditsLeft"] == {"currencyCode": "USD", "units": "2", "nanos": 500_000_000 - CHARGE_NANODOLLARS}
    assert has["usedThisMonth"]["nanos"] == CHARGE_NANODOLLARS
    assert (await plane.call("GET", f"{ACME}/creditRedemptions"))["creditRedemptions"] == [given]


async def test_a_code_is_made_and_redeemed(plane: Plane) -> None:
    """Shown once; redeemed once by an account; an account that had nothing is served again."""
    await plane.call("POST", f"{ACME}:setPrepaid", body={"prepaid": True}, key=plane.ops)
    assert (await plane.call("GET", ACME))["suspendState"] == "CREDIT_DEPLETED"
    body = {"amount": {"units": 5}, "maxRedemptions": 2, "expireTime": "2027-01-01T00:00:00Z"}
    await plane.call("POST", "/v1/creditCodes", body=body, status=403)
    made = await plane.call("POST", "/v1/creditCodes", body=body, key=plane.ops)
    redeemed = await plane.call("POST", f"{ACME}/creditCodes:redeem", body={"code": made["code"]})
    assert redeemed["creditCode"] == made["name"]
    assert (await plane.call("GET", ACME))["suspendState"] == "UNSUSPENDED"
    again = await plane.call("POST", f"{ACME}/creditCodes:redeem", body={"code": made["code"]}, status=409)
    assert again["code"] == 6
    (listed,) = (await plane.call("GET", "/v1/creditCodes", key=plane.ops))["creditCodes"]
    assert "code" not in listed
    assert (listed["redemptions"], listed["maxRedemptions"]) == (1, 2)
    await plane.call("POST", f"/v1/{made['name']}:disable", key=plane.ops)
    beta = "/v1/accounts/beta/creditCodes:redeem"
    await plane.call("POST", beta, body={"code": made["code"]}, key=plane.beta, status=412)
    await plane.call("POST", beta, body={"code": "sc_none"}, key=plane.beta, status=404)


@pytest.mark.parametrize(
    "amount",
    [
        {},
        {"units": "0"},
        {"units": "-1"},
        {"units": 10**12},
        {"units": 1, "nanos": -1},
        {"units": 1, "currencyCode": "EUR"},
    ],
)
async def test_an_amount_that_cannot_be_is_a_400(plane: Plane, amount: object) -> None:
    """Nothing, less than nothing, too much, and other currencies."""
    for path in (f"{ACME}/credits:grant", "/v1/creditCodes"):
        await plane.call("POST", path, body={"amount": amount}, key=plane.ops, status=400)


async def test_an_account_says_when_it_wants_to_be_told(plane: Plane) -> None:
    """In order, each once; not too many."""
    thresholds = [{"units": "20"}, {"units": "5", "nanos": 5}, {"units": 20}]
    body = {"email": "a@example.org", "notificationSettings": {"monthlySpendThresholds": thresholds}}
    changed = await plane.call("PATCH", ACME, body=body)
    shown = [(one["units"], one["nanos"]) for one in changed["notificationSettings"]["monthlySpendThresholds"]]
    assert (shown, changed["email"]) == ([("5", 5), ("20", 0)], "a@example.org")
    many = {"notificationSettings": {"monthlySpendThresholds": [{"units": number} for number in range(21)]}}
    await plane.call("PATCH", ACME, body=many, status=400)
