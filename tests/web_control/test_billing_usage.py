"""Usage as an account sees it."""

from urllib.parse import quote

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, DEMO, FAST, post_requests
from tests.web_control.conftest import Plane

from servery.billing.gpu_posting import GpuPosting
from servery.billing.gpu_prices import GpuPrices
from servery.billing.gpu_time import GpuInterval, GpuRun
from servery.metering.usage_rollup import UsageRollup

USAGE = "/v1/accounts/acme/billingUsage"


@pytest.fixture
async def used(plane: Plane) -> Plane:
    """Two Standard requests today, one Fast; one Standard three days ago; one of another account."""
    await post_requests(plane.database, plane.clock, plane.acme, count=2)
    await post_requests(plane.database, plane.clock, plane.acme, model=FAST)
    await post_requests(plane.database, plane.clock, plane.acme, days_ago=3)
    await post_requests(plane.database, plane.clock, plane.beta)
    return plane


async def test_usage_comes_in_days(used: Plane) -> None:
    """One bucket a day, cut to the period; counts as text; the charge as money. A request that has just ended is in."""
    first, last = (await used.call("GET", USAGE))["serverlessCosts"]
    assert (first["startTime"], first["endTime"]) == ("2026-11-17T00:00:00Z", "2026-11-18T00:00:00Z")
    assert (last["startTime"], last["endTime"]) == ("2026-11-20T00:00:00Z", "2026-11-20T12:00:01Z")
    assert (last["promptTokens"], last["cachedPromptTokens"], last["completionTokens"]) == ("300", "120", "30")
    assert last["totalCost"] == {"currencyCode": "USD", "units": "0", "nanos": 3 * CHARGE_NANODOLLARS}
    assert (last["usageType"], last["group"]) == ("SERVERLESS", {})


async def test_usage_can_be_grouped(used: Plane) -> None:
    """By model or by key; groups of a day add up to the day."""
    period = "startTime=2026-11-20T00:00:00Z&endTime=2026-11-21T00:00:00Z"
    by_model = (await used.call("GET", f"{USAGE}?{period}&groupBy=model_name"))["serverlessCosts"]
    assert {row["group"]["model_name"]: row["promptTokens"] for row in by_model} == {DEMO: "200", FAST: "100"}
    (by_key,) = (await used.call("GET", f"{USAGE}?{period}&groupBy=api_key_id"))["serverlessCosts"]
    assert by_key["group"] == {"api_key_id": used.acme.api_key.key_id}
    assert by_key["promptTokens"] == "300"


async def test_the_end_is_not_part_of_the_period(used: Plane) -> None:
    """A request that finished at the very end belongs to the next period."""
    until_noon = await used.call("GET", f"{USAGE}?startTime=2026-11-20T00:00:00Z&endTime=2026-11-20T12:00:00Z")
    assert until_noon["serverlessCosts"] == []
    from_noon = await used.call("GET", f"{USAGE}?startTime=2026-11-20T13:00:00%2B01:00&endTime=2026-11-20T12:00:01Z")
    assert [row["promptTokens"] for row in from_noon["serverlessCosts"]] == ["300"]


async def test_days_are_those_of_a_time_zone(used: Plane) -> None:
    """Whatever its offset: midnight in Kathmandu is at 18:15 UTC."""
    await post_requests(used.database, used.clock, used.acme, days_ago=1, labels=(("team", "x"),))
    period = "startTime=2026-11-19T00:00:00Z&endTime=2026-11-21T00:00:00Z&timezone=Asia/Kathmandu"
    rows = (await used.call("GET", f"{USAGE}?{period}"))["serverlessCosts"]
    assert [(row["startTime"], row["endTime"], row["promptTokens"]) for row in rows] == [
        ("2026-11-19T00:00:00Z", "2026-11-19T18:15:00Z", "100"),
        ("2026-11-19T18:15:00Z", "2026-11-20T18:15:00Z", "300"),
    ]


@pytest.mark.parametrize("is_rolled_up", [False, True])
async def test_usage_by_label_and_filtered(used: Plane, is_rolled_up: bool) -> None:
    """Requests without the label are a group too; a filter takes part of them. The hourly sums say the same."""
    await post_requests(used.database, used.clock, used.acme, days_ago=1, labels=(("team", "search"), ("project", "p")))
    if is_rolled_up:
        await UsageRollup(used.database).roll_up()
    by_team = (await used.call("GET", f"{USAGE}?groupBy=annotations.team"))["serverlessCosts"]
    assert [(row["group"]["annotations.team"], row["promptTokens"]) for row in by_team] == [
        ("", "100"),
        ("search", "100"),
        ("", "300"),
    ]
    key = used.acme.api_key.key_id
    for text, expected in (
        ('annotations.project = "p"', ["100"]),
        (f"model_name={FAST} AND api_key_id={key}", ["100"]),
        (f'model_name="{FAST}" AND api_key_id="other"', []),
    ):
        answer = await used.call("GET", f"{USAGE}?filter={quote(text)}")
        assert [row["promptTokens"] for row in answer["serverlessCosts"]] == expected


async def test_gpu_time_is_told_apart(used: Plane) -> None:
    """Dedicated deployments are asked for by themselves, in accelerator-seconds."""
    run = GpuRun(
        id="run-1",
        account="acme",
        deployment="accounts/acme/deployments/d",
        accelerator_type="h100",
        accelerators=2,
        started_ns=used.clock.wall_ns() - 90_000_000_000,
    )
    price = await GpuPrices(used.database, used.clock).record("h100", 8_000_000)
    await GpuPosting(used.database, used.clock).post(run, [GpuInterval(0, 60), GpuInterval(60, 90)], price)
    answer = await used.call("GET", f"{USAGE}?usageType=DEDICATED_DEPLOYMENT&groupBy=accelerator_type")
    (row,) = answer["dedicatedCosts"]
    assert answer["serverlessCosts"] == []
    assert (row["deploymentId"], row["acceleratorSeconds"]) == ("accounts/acme/deployments/d", "180")
    assert row["group"] == {"accelerator_type": "h100"}
    assert row["totalCost"] == {"currencyCode": "USD", "units": "0", "nanos": 400_000_000}


@pytest.mark.parametrize(
    "query",
    [
        "startTime=yesterday",
        "startTime=2026-11-20T00:00:00",
        "startTime=9999-01-01T00:00:00Z&endTime=9999-01-02T00:00:00Z",
        "endTime=0001-01-01T00:00:00Z",
        "startTime=2026-11-20T00:00:00Z&endTime=2026-11-20T00:00:00Z",
        "startTime=2026-10-01T00:00:00Z&endTime=2026-11-02T00:00:00Z",
        "groupBy=weather",
        "usageType=FREE",
        "timezone=Europe/Nowhere",
        "filter=model",
        "filter=weather=fair",
        "groupBy=deployment_name",
        "usageType=DEDICATED_DEPLOYMENT&groupBy=model_name",
    ],
)
async def test_a_question_that_cannot_be_answered_is_a_400(plane: Plane, query: str) -> None:
    """What is not understood is refused, never left out."""
    assert (await plane.call("GET", f"{USAGE}?{query}", status=400))["code"] == 3
