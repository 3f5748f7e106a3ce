"""Token limits as an account and its operator see them."""

import pytest
from tests.books.sample_usage import DEMO, FAST
from tests.web_control.conftest import Plane

from servery.catalog.source import default_catalog
from servery.core.clock import utc_date
from servery.core.usage import Usage
from servery.limits.estimated import Estimate

LIMITS = "/v1/accounts/acme/serverlessRateLimits"
FIXED = {"deployment": DEMO, "generatedTokensPerMinute": 7_000}


def use(plane: Plane, *, minutes: int, tokens: int) -> None:
    """A request of acme a minute."""
    catalog = default_catalog(today=utc_date(plane.clock.wall_ns()))
    model = catalog.model(DEMO)
    assert model is not None
    for _ in range(minutes):
        grant = plane.limits.limiter.reserve(
            account="acme",
            counted_as=DEMO,
            limits=plane.limits.ceilings.of(model, spend_tier=1),
            estimate=Estimate(0, 0, 0),
        )
        grant.settle(Usage(tokens, 0, 0))
        grant.release()
        plane.clock.advance(60)


async def limits_of(plane: Plane, query: str = "") -> dict[tuple[str, str], str]:
    answer = await plane.call("GET", f"{LIMITS}{query}")
    return {(one["deployment"], one["metric"]): one["effectiveLimit"] for one in answer["rateLimits"]}


async def test_limits_are_told_before_they_are_used(plane: Plane) -> None:
    """Where they will start, in tokens per minute, of each model and router; over time there is nothing yet."""
    answer = await plane.call("GET", f"{LIMITS}?deployment={DEMO}")
    assert answer["rateLimits"] == [
        {"deployment": DEMO, "metric": "TOKENS_GENERATED", "effectiveLimit": "36000", "isCustom": False},
        {"deployment": DEMO, "metric": "TOKENS_PROMPT", "effectiveLimit": "3600000", "isCustom": False},
        {"deployment": DEMO, "metric": "TOKENS_CACHE_ADJUSTED_PROMPT", "effectiveLimit": "900000", "isCustom": False},
    ]
    assert answer["series"][0] == {"labels": {"deployment": DEMO, "metric": "TOKENS_GENERATED"}, "values": []}
    assert {name for name, _ in await limits_of(plane)} >= {DEMO, FAST}


async def test_series_tell_what_was_enforced(plane: Plane) -> None:
    """At each step since the first use: the limits have risen by a quarter after 15 minutes and again after 30."""
    for _ in range(40):
        use(plane, minutes=1, tokens=4_000_000)
        await plane.limits.keeper.save()
    answer = await plane.call("GET", f"{LIMITS}?deployment={DEMO}&start=2026-11-20T11:50:00Z&interval=600s")
    (series,) = [one for one in answer["series"] if one["labels"]["metric"] == "TOKENS_PROMPT"]
    assert series["values"] == [
        {"timestamp": "2026-11-20T12:10:00.000000Z", "value": 3_600_000},
        {"timestamp": "2026-11-20T12:20:00.000000Z", "value": 4_500_000},
        {"timestamp": "2026-11-20T12:30:00.000000Z", "value": 4_500_000},
        {"timestamp": "2026-11-20T12:40:00.000000Z", "value": 5_625_000},
    ]
    assert (await limits_of(plane))[DEMO, "TOKENS_PROMPT"] == "5625000"


async def test_limits_that_another_process_has_kept_are_told(plane: Plane) -> None:
    """From what it wrote down: after a restart, before the first request."""
    use(plane, minutes=20, tokens=4_000_000)
    await plane.limits.keeper.save()
    plane.limits.limiter._accounts.clear()
    assert (await limits_of(plane))[DEMO, "TOKENS_PROMPT"] == "4500000"
    plane.clock.advance(4 * 86_400)
    assert (await limits_of(plane))[DEMO, "TOKENS_PROMPT"] == "3600000"


async def test_the_operator_fixes_limits(plane: Plane) -> None:
    """They hold from the next request on, and until they are cleared; the others adapt."""
    assert await plane.call("POST", f"{LIMITS}:set", body=FIXED, key=plane.ops) == {}
    answer = await plane.call("GET", f"{LIMITS}?deployment={DEMO}")
    told = {one["metric"]: (one["effectiveLimit"], one["isCustom"]) for one in answer["rateLimits"]}
    assert told["TOKENS_GENERATED"] == ("7000", True)
    assert told["TOKENS_PROMPT"] == ("3600000", False)
    use(plane, minutes=1, tokens=1)
    reading = plane.limits.limiter.reading("acme", DEMO)
    assert reading is not None
    assert reading.generated == 7_000
    assert await plane.call("POST", f"{LIMITS}:clear", body={"deployment": DEMO}, key=plane.ops) == {}
    assert (await limits_of(plane))[DEMO, "TOKENS_GENERATED"] == "36000"
    await plane.call("POST", f"{LIMITS}:clear", body={"deployment": DEMO}, key=plane.ops, status=404)


async def test_an_account_cannot_fix_its_own_limits(plane: Plane) -> None:
    """Nor see another's."""
    await plane.call("POST", f"{LIMITS}:set", body=FIXED, status=403)
    await plane.call("POST", f"{LIMITS}:clear", body={"deployment": DEMO}, status=403)
    await plane.call("GET", LIMITS, key=plane.beta, status=403)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"deployment": DEMO}, 400),
        ({"deployment": DEMO, "generatedTokensPerMinute": 0}, 400),
        ({"deployment": DEMO, "requests": 1}, 400),
        ({"deployment": "accounts/servery/models/none", "generatedTokensPerMinute": 1}, 404),
    ],
)
async def test_what_cannot_be_fixed_is_refused(plane: Plane, body: object, status: int) -> None:
    """Nothing named, no tokens at all, an unknown field, an unknown model; and an unknown account."""
    await plane.call("POST", f"{LIMITS}:set", body=body, key=plane.ops, status=status)
    await plane.call("POST", "/v1/accounts/none/serverlessRateLimits:set", body=FIXED, key=plane.ops, status=404)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("interval=0s", 400),
        ("interval=1h", 400),
        ("interval=1s", 400),
        ("start=yesterday", 400),
        ("start=2026-11-20T00:00:00", 400),
        ("start=2027-01-01T00:00:00Z", 400),
        ("x=1", 400),
        ("deployment=none", 404),
    ],
)
async def test_a_question_that_cannot_be_is_refused(plane: Plane, query: str, status: int) -> None:
    """Intervals that are none or too many, moments that are none or in the wrong order, unknown names."""
    await plane.call("GET", f"{LIMITS}?{query}", status=status)
