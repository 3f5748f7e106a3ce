"""Invoices, costs, prices and receipts as an account sees them."""

import csv
import io
from decimal import Decimal

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, DEMO, FAST, post_requests
from tests.routing.test_router import blocks, seated, wish
from tests.web_control.conftest import Plane

from servery.core.hedge_outcome import HedgeOutcome
from servery.core.role import Role
from servery.metering.refused_requests import RefusedRequest
from servery.metering.usage_rollup import UsageRollup
from servery.routing.router import Router

ACME = "/v1/accounts/acme"


@pytest.fixture
async def used(plane: Plane) -> Plane:
    """Two Standard requests today, one Fast; one 25 days ago, in October; one of another account."""
    await post_requests(plane.database, plane.clock, plane.acme, count=2)
    await post_requests(plane.database, plane.clock, plane.acme, model=FAST)
    await post_requests(plane.database, plane.clock, plane.acme, days_ago=25)
    await post_requests(plane.database, plane.clock, plane.beta)
    return plane


async def test_invoices_are_listed_and_closed(used: Plane) -> None:
    """The running month is a draft; the operator closes the one before, which is then numbered."""
    drafts = (await used.call("GET", f"{ACME}/invoices"))["invoices"]
    assert [(each["month"], each["state"]) for each in drafts] == [("2026-11", "draft"), ("2026-10", "draft")]
    closed = await used.call("POST", "/v1/invoices:close", key=used.ops, body={"month": "2026-10"})
    assert closed == {"month": "2026-10", "issued": 1}
    october = await used.call("GET", f"{ACME}/invoices/2026-10")
    assert (october["state"], october["number"]) == ("final", "INV-000001")
    assert october["total"] == {"currencyCode": "USD", "units": "0", "nanos": CHARGE_NANODOLLARS}
    assert sum(Decimal(line["amountUsd"]) for line in october["lines"]) == Decimal(CHARGE_NANODOLLARS) / 10**9
    await used.call("POST", "/v1/invoices:close", key=used.ops, body={"month": "2026-11"}, status=412)
    await used.call("GET", f"{ACME}/invoices/2026-09", status=404)
    await used.call("GET", f"{ACME}/invoices/September", status=400)
    await used.call("GET", f"{ACME}/invoices/2026-10?format=pdf", status=400)


async def test_an_invoice_as_csv_and_as_a_page(used: Plane) -> None:
    """The same lines: the CSV sums to the total exactly, and the page asks for nothing from elsewhere."""
    headers = {"x-api-key": used.acme.key}
    answer = await used.client.get(f"{ACME}/invoices/2026-11?format=csv", headers=headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(line["subject"], line["serving_path"]) for line in lines} == {(DEMO, "standard"), (FAST, "fast")}
    assert sum(Decimal(line["amount_usd"]) for line in lines) == Decimal(3 * CHARGE_NANODOLLARS) / 10**9
    page = await used.client.get(f"{ACME}/invoices/2026-11?format=html", headers=headers)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for text in (DEMO, "Cached prompt tokens", "Draft invoice", "November 2026", "0.00", "@media print"):
        assert text in page.text
    assert "http" not in page.text


async def test_costs_are_queried_by_two_dimensions(used: Plane) -> None:
    """Rows sum to the subtotal, whatever is rolled up; pages go on where they ended."""
    asked = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-21T00:00:00Z", "groupBy": ["DAY", "MODEL"]}
    first = await used.call("POST", f"{ACME}/usageCosts:query", body=asked)
    await UsageRollup(used.database).roll_up()
    assert (await used.call("POST", f"{ACME}/usageCosts:query", body=asked))["rows"] == first["rows"]
    assert [(row["dimensions"], row["subtotal"]["nanos"]) for row in first["rows"]] == [
        ({"DAY": "2026-11-20", "MODEL": DEMO}, 2 * CHARGE_NANODOLLARS),
        ({"DAY": "2026-11-20", "MODEL": FAST}, CHARGE_NANODOLLARS),
    ]
    assert first["subtotal"]["nanos"] == 3 * CHARGE_NANODOLLARS
    assert first["attributionCompleteness"] == "COMPLETE"
    paged = await used.call("POST", f"{ACME}/usageCosts:query", body={**asked, "pageSize": 1})
    rest = {**asked, "pageSize": 1, "pageToken": paged["nextPageToken"]}
    assert paged["rows"] + (await used.call("POST", f"{ACME}/usageCosts:query", body=rest))["rows"] == first["rows"]
    hours = {"startTime": "2026-11-20T00:00:00Z", "groupBy": ["HOUR", "USER"], "filter": f'model = "{FAST}"'}
    (row,) = (await used.call("POST", f"{ACME}/usageCosts:query", body=hours))["rows"]
    assert row["dimensions"] == {"HOUR": "2026-11-20T12:00:00.000000Z", "USER": "default"}


@pytest.mark.parametrize(
    "body",
    [
        {"groupBy": ["DAY", "MODEL", "USER"]},
        {"groupBy": ["WEATHER"]},
        {"scope": "WORLD"},
        {"filter": "weather = fair"},
        {"startTime": "2026-01-01T00:00:00Z"},
        {"pageToken": "!"},
        {"unknown": 1},
    ],
)
async def test_a_query_that_cannot_be_answered_is_a_400(plane: Plane, body: dict[str, object]) -> None:
    """What is not understood is refused."""
    await plane.call("POST", f"{ACME}/usageCosts:query", body=body, status=400)


async def test_who_may_not_read_the_accounts_costs_reads_its_own(used: Plane) -> None:
    """An inference-user sees the requests of its own keys, and no others."""
    eve = await used.key_of("eve", Role.INFERENCE_USER)
    await post_requests(used.database, used.clock, eve)
    await used.call("POST", f"{ACME}/usageCosts:query", key=eve, status=403)
    own = await used.call("POST", f"{ACME}/usageCosts:query", key=eve, body={"scope": "SELF"})
    assert own["subtotal"]["nanos"] == CHARGE_NANODOLLARS
    listed = (await used.call("GET", f"{ACME}/requests", key=eve))["requests"]
    assert [each["apiKeyId"] for each in listed] == [eve.api_key.key_id]
    others = (await used.call("GET", f"{ACME}/requests"))["requests"]
    assert len(others) == 5
    (other,) = {each["requestId"] for each in others if each["model"] == FAST}
    await used.call("GET", f"{ACME}/requests/{other}", key=eve, status=404)


async def test_the_summary_adds_up(used: Plane) -> None:
    """An item for each model, path and kind of token; together the cost of the period."""
    summary = await used.call("GET", f"{ACME}/billing/summary?startTime=2026-11-20T00:00:00Z")
    items = {(item["groupingValue"], item["category"]): item for item in summary["lineItems"]}
    assert len(items) == 6
    assert items[DEMO, "generated"]["quantity"] == "20"
    assert items[DEMO, "generated"]["unitAmount"] == {"currencyCode": "USD", "units": "0", "nanos": 400_000_000}
    assert items[DEMO, "generated"]["secondaryGroupingKey"] == "is_batch"
    assert sum(item["totalCost"]["nanos"] for item in summary["lineItems"]) == 3 * CHARGE_NANODOLLARS
    assert summary["totalCost"]["nanos"] == 3 * CHARGE_NANODOLLARS


async def test_a_receipt_tells_what_a_request_cost_and_why(used: Plane) -> None:
    """To the account that made it and to the operator, to nobody else."""
    newest = (await used.call("GET", f"{ACME}/requests?pageSize=1"))["requests"][0]
    receipt = await used.call("GET", f"{ACME}/requests/{newest['requestId']}")
    assert receipt == newest
    usage = receipt["usage"]
    assert (usage["promptTokens"], usage["cachedPromptTokens"], usage["generatedTokens"]) == ("100", "40", "10")
    assert receipt["price"] | {"priceId": ""} == {
        "priceId": "",
        "input": "0.10",
        "cachedInput": "0.05",
        "output": "0.40",
    }
    assert receipt["charge"]["nanos"] == CHARGE_NANODOLLARS
    assert receipt["state"] == "completed"
    path = f"{ACME}/requests/{newest['requestId']}"
    await used.call("GET", path, key=used.beta, status=403)
    await used.call("GET", path.replace("acme", "beta"), key=used.beta, status=404)
    assert await used.call("GET", path, key=used.ops) == receipt | {"routing": {"worker": 0, "placements": []}}


async def test_a_receipt_tells_of_a_second_attempt(used: Plane) -> None:
    """Of those that had one."""
    plain = (await used.call("GET", f"{ACME}/requests?pageSize=1"))["requests"][0]
    assert "hedge" not in plain
    await post_requests(used.database, used.clock, used.acme, labels=(("a", "b"),), hedge=HedgeOutcome.WON)
    listed = (await used.call("GET", f"{ACME}/requests?pageSize=1"))["requests"][0]
    assert listed["hedge"] == "won"


@pytest.mark.parametrize("is_rolled_up", [False, True])
async def test_requests_are_listed_newest_first_without_gaps(used: Plane, is_rolled_up: bool) -> None:
    """Page after page, whatever is in the hourly sums, and with more than one request at one moment."""
    await post_requests(used.database, used.clock, used.acme, days_ago=2, count=3)
    if is_rolled_up:
        await UsageRollup(used.database).roll_up()
        await post_requests(used.database, used.clock, used.acme, days_ago=3, count=2)
    seen: list[dict[str, str]] = []
    token = ""
    while True:
        page = await used.call("GET", f"{ACME}/requests?pageSize=2&pageToken={token}")
        seen += page["requests"]
        token = page["nextPageToken"]
        if not token:
            break
    assert len({each["requestId"] for each in seen}) == len(seen) == (9 if is_rolled_up else 7)
    ends = [each["endTime"] for each in seen]
    assert ends == sorted(ends, reverse=True)
    await used.call("GET", f"{ACME}/requests?pageToken=x", status=400)


async def test_why_a_request_was_refused_can_be_asked(plane: Plane) -> None:
    """For as long as it is kept; it cost nothing."""
    refused = RefusedRequest(
        request_id="chatcmpl-1",
        account="acme",
        key_id=plane.acme.api_key.key_id,
        status=503,
        code="SERVER_OVERLOADED",
        message="service overloaded, please try again later",
        retry_after_s=1.0,
        refused_ns=plane.clock.wall_ns(),
    )
    plane.refused.add(refused)
    receipt = await plane.call("GET", f"{ACME}/requests/chatcmpl-1")
    assert (receipt["state"], receipt["status"], receipt["code"]) == ("refused", 503, "SERVER_OVERLOADED")
    assert (receipt["reason"], receipt["retryAfterS"], receipt["charge"]["nanos"]) == (refused.message, 1.0, 0)
    await plane.call("GET", "/v1/accounts/beta/requests/chatcmpl-1", key=plane.beta, status=404)


async def test_operators_alone_are_told_how_a_request_was_routed(plane: Plane) -> None:
    """Each replica that was weighed, the chosen one first, and whose memory that is."""
    plane.refused.add(
        RefusedRequest(
            request_id="chatcmpl-1",
            account="acme",
            key_id=plane.acme.api_key.key_id,
            status=502,
            code="ENGINE_BROKE",
            message="the engine broke off",
            retry_after_s=None,
            refused_ns=plane.clock.wall_ns(),
        )
    )
    path = "/v1/accounts/acme/requests/chatcmpl-1"
    assert "routing" not in await plane.call("GET", path)
    told = await plane.call("GET", path, key=plane.ops)
    assert told["routing"] == {"worker": 0, "placements": []}
    pool, router = blocks(), Router(plane.clock, slot_isolation=True)
    with seated(router, pool, wish()) as seat:
        assert seat is not None
        plane.placements.add("chatcmpl-1", 0, seat)
    assert "routing" not in await plane.call("GET", path)
    (placement,) = (await plane.call("GET", path, key=plane.ops))["routing"]["placements"]
    assert (placement["branch"], placement["reason"], placement["full"]) == (0, "least_work", [])
    assert placement["candidates"][0] == {
        "replica": seat.replica.name,
        "chosen": True,
        "cachedPromptTokens": 0,
        "uncachedPromptTokens": 1_000,
        "queuedPromptTokens": 0,
        "costS": 0.2875,
        "busyS": 0.0,
        "droppedS": 0.0,
        "discountS": 0.0,
    }


async def test_the_price_list_is_public(plane: Plane) -> None:
    """Without a key: every model and path, what it costs since when, and what will change."""
    wanted = {
        "model": DEMO,
        "price": {"input": "0.12", "output": "0.50"},
        "effectiveTime": "2027-01-01T00:00:00Z",
    }
    await plane.call("POST", "/v1/pricing/changes", key=plane.ops, body=wanted)
    pricing = (await plane.client.get("/v1/pricing")).json()
    rows = {(row["model"], row["servingPath"]): row for row in pricing["models"]}
    standard = rows[DEMO, "standard"]
    now = "2026-11-20T12:00:00.000000Z"
    assert standard["price"] == {"input": "0.10", "cachedInput": "0.05", "output": "0.40", "effectiveTime": now}
    assert standard["next"] == {
        "input": "0.12",
        "cachedInput": "0.06",
        "output": "0.50",
        "effectiveTime": "2027-01-01T00:00:00.000000Z",
    }
    assert rows[DEMO, "batch"]["price"]["input"] == "0.05"
    assert rows[DEMO, "batch"]["next"]["output"] == "0.25"
    assert rows[FAST, "fast"]["price"]["output"] == "0.80"
    assert {"acceleratorType": "h100", "pricePerHour": "8.00"} in pricing["accelerators"]


async def test_an_account_sees_its_plans(plane: Plane) -> None:
    """By tokens and by accelerator hours, as money; only the operator changes prices."""
    tokens, hours = (await plane.call("GET", f"{ACME}/pricingPlans"))["pricingPlans"]
    assert (tokens["billingType"], hours["billingType"]) == ("TOKEN_USAGE", "ACCELERATOR_HOURS")
    (demo,) = (
        each for each in tokens["tokenConfig"] if (each["baseModelName"], each["servingPath"]) == (DEMO, "priority")
    )
    assert demo["outputTokenPricePerMillion"] == {"currencyCode": "USD", "units": "0", "nanos": 600_000_000}
    assert {"acceleratorType": "b200", "acceleratorHourPrice": {"currencyCode": "USD", "units": "13", "nanos": 0}} in (
        hours["acceleratorHourConfig"]
    )
    body = {"model": DEMO, "price": {"input": "0.2", "output": "0.8"}}
    await plane.call("POST", "/v1/pricing/changes", body=body, status=403)
    changed = await plane.call("POST", "/v1/pricing/changes", key=plane.ops, body=body)
    assert changed["price"]["input"] == "0.20"
    for wrong in ({"model": "none"}, {"price": {"input": "free"}}, {"effectiveTime": "2020-01-01T00:00:00Z"}):
        await plane.call(
            "POST",
            "/v1/pricing/changes",
            key=plane.ops,
            body={**body, **wrong},
            status=404 if "model" in wrong else 400,
        )
