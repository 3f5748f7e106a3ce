"""Tokens per minute, from the books."""

import pytest
from tests.books.sample_usage import DEMO, FAST, post_requests
from tests.web_control.conftest import Plane

USAGE = "/v1/accounts/acme/serverlessTokenUsage"
PEAK = "includePeakTokensPerMinuteByBaseModel"
AVERAGE = "includeAverageTokensPerMinuteByBaseModel"


@pytest.fixture
async def used(plane: Plane) -> Plane:
    """Two Standard requests and a Fast one in one minute, one Standard three days ago; one of another account."""
    await post_requests(plane.database, plane.clock, plane.acme, count=2)
    await post_requests(plane.database, plane.clock, plane.acme, model=FAST)
    await post_requests(plane.database, plane.clock, plane.acme, days_ago=3)
    await post_requests(plane.database, plane.clock, plane.beta)
    return plane


async def test_peaks_are_the_busiest_minutes(used: Plane) -> None:
    """Over all models and of each; a router counts with its model."""
    assert await used.call("GET", f"{USAGE}?{PEAK}=true") == {
        "peakTokensPerMinuteByBaseModel": [
            {
                "baseModel": DEMO,
                "generatedTokensPerMinute": 30.0,
                "uncachedPromptTokensPerMinute": 180.0,
                "cachedPromptTokensPerMinute": 120.0,
            }
        ],
        "totalPeakGeneratedTokensPerMinute": 30,
        "totalPeakUncachedPromptTokensPerMinute": 180,
        "totalPeakCachedPromptTokensPerMinute": 120,
    }


async def test_averages_are_over_the_whole_period(used: Plane) -> None:
    """Three requests in half an hour; what ended before is not counted."""
    period = "start=2026-11-20T11:40:00Z&end=2026-11-20T12:10:00Z"
    answer = await used.call("GET", f"{USAGE}?{AVERAGE}=true&{period}")
    assert answer == {
        "averageTokensPerMinuteByBaseModel": [
            {
                "baseModel": DEMO,
                "generatedTokensPerMinute": 1.0,
                "uncachedPromptTokensPerMinute": 6.0,
                "cachedPromptTokensPerMinute": 4.0,
            }
        ]
    }
    later = "start=2026-11-20T12:10:00Z&end=2026-11-20T12:20:00Z"
    answer = await used.call("GET", f"{USAGE}?{AVERAGE}=true&{PEAK}=true&{later}")
    assert answer["averageTokensPerMinuteByBaseModel"] == answer["peakTokensPerMinuteByBaseModel"] == []
    assert answer["totalPeakGeneratedTokensPerMinute"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"?{PEAK}=false&{AVERAGE}=false",
        f"?{PEAK}=yes",
        f"?{PEAK}=true&x=1",
        f"?{PEAK}=true&start=2026-11-21T00:00:00Z",
        f"?{PEAK}=true&start=2026-01-01T00:00:00Z",
    ],
)
async def test_a_question_that_cannot_be_is_a_400(plane: Plane, query: str) -> None:
    """At least one of the two is asked for; the period lies in order, and within a month."""
    await plane.call("GET", f"{USAGE}{query}", status=400)


async def test_another_account_may_not_see_it(plane: Plane) -> None:
    """Only its own users and the operator may."""
    await plane.call("GET", f"{USAGE}?{PEAK}=true", key=plane.beta, status=403)
