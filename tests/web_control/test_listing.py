"""Lists: filters, orders, masks and pages, the same for all."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from tests.web_control.conftest import Plane

from servery.core.errors import InvalidRequest
from servery.core.role import Role
from servery.web.control.list_filter import parse_filter
from servery.web.control.listing import Listing
from servery.web.control.paged_list import PagedList

LISTS = {
    "/v1/accounts": "accounts",
    "/v1/accounts/acme/users": "users",
    "/v1/accounts/acme/apiKeys": "apiKeys",
    "/v1/accounts/acme/quotas": "quotas",
    "/v1/accounts/acme/webhooks": "webhooks",
    "/v1/accounts/acme/creditRedemptions": "creditRedemptions",
    "/v1/creditCodes": "creditCodes",
    "/v1/accounts/acme/invoices": "invoices",
    "/v1/accounts/servery/models": "models",
    "/v1/accounts/acme/auditLogs": "auditLogs",
    "/v1/accounts/acme/requests": "requests",
}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Amount(msgspec.Struct):
    units: str
    nanos: int


class Thing(msgspec.Struct, rename="camel"):
    display_name: str
    colour: Colour
    size: int
    share: float
    on: bool
    create_time: str
    amount: Amount
    labels: dict[str, str]
    tags: list[str]
    end: str | UnsetType = UNSET


THING = msgspec.to_builtins(
    Thing('It\'s "A"', Colour.RED, 5, 0.5, True, "2026-11-20T12:00:00.000000Z", Amount("10", 7), {"team": "x"}, ["t"])
)


@pytest.mark.parametrize(
    "text",
    [
        "size = 5",
        "size != 6 AND size > 4 AND size >= 5 AND size <= 5.0 AND size < 5.5",
        "share=0.5",
        "on = true",
        "on != false",
        "colour = red",
        'colour = "red"',
        'displayName = "It\'s \\"A\\""',
        'createTime = "2026-11-20T13:00:00+01:00"',
        "createTime > 2026-11-20T11:59:59Z AND createTime < 2026-11-20T12:00:01Z",
        "amount.units > 9",
        "amount.nanos = 7",
        "labels.team = x",
        "labels.other != x",
        "end != something",
        "NOT end = something",
        "NOT (size = 6 OR on = false)",
        "size = 6 OR size = 5",
        "(size = 5)",
        "size = 5 OR size = 6 AND on = true",
        "size = 6 OR on = true AND size = 5",
    ],
)
def test_what_a_filter_finds(text: str) -> None:
    """Numbers and moments as such, whatever way they are written; OR binds closer than AND."""
    test = parse_filter(text, Thing)
    assert test is not None
    assert test(THING)
    negated = parse_filter(f"NOT ({text})", Thing)
    assert negated is not None
    assert not negated(THING)


@pytest.mark.parametrize("text", ["end > a", "end < a", "end = a", "size = 5 AND size = 6", "createTime > zebra"])
def test_what_a_filter_does_not_find(text: str) -> None:
    """What is absent is neither smaller nor larger; a moment is no word."""
    test = parse_filter(text, Thing)
    assert test is not None
    assert not test(THING)


@pytest.mark.parametrize(
    "text",
    [
        "size",
        "size =",
        "= 5",
        "size = 5 size = 5",
        "size = 5 AND",
        "AND size = 5",
        "size = 5 OR",
        "(size = 5",
        "size = 5)",
        "size : 5",
        "size = (5)",
        "size = five",
        "size = nan",
        "on > true",
        "on = yes",
        "nothing = 5",
        "amount = 5",
        "tags = t",
        "labels = x",
        "displayName.more = 5",
        'size = "5',
        '"size" = 5',
        "size == 5",
        "(" * 9 + "size = 5" + ")" * 9,
        " AND ".join(["size = 5"] * 17),
        "displayName = " + "x" * 2_000,
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """With a reason; nothing is guessed."""
    with pytest.raises(InvalidRequest):
        parse_filter(text, Thing)


@given(st.text(alphabet='size on=!<>()\\"AND OR NOT5.-', max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Nothing else happens."""
    try:
        test = parse_filter(text, Thing)
    except InvalidRequest:
        return
    assert test is None or test(THING) in {True, False}


@pytest.mark.parametrize(("path", "name"), LISTS.items())
async def test_every_list_takes_the_same(plane: Plane, path: str, name: str) -> None:
    """A filter, a mask and a size; and refuses what it does not understand."""
    await plane.call("POST", "/v1/accounts/acme/webhooks", body={"url": "https://example.org/hook"})
    for query in ("filter=nothing%3D1", "readMask=nothing", "orderBy=nothing", "pageSize=x", "pageToken=x"):
        answer = await plane.call("GET", f"{path}?{query}", key=plane.ops, status=400)
        assert answer["message"]
    everything = await plane.call("GET", path, key=plane.ops)
    key = {"apiKeys": "keyId", "auditLogs": "id", "requests": "requestId"}.get(name, "name")
    none = await plane.call("GET", f"{path}?filter={key}%3Dnothing", key=plane.ops)
    masked = await plane.call("GET", f"{path}?readMask={key}&filter={key}!%3Dnothing", key=plane.ops)
    assert none[name] == []
    assert [list(each) for each in masked[name]] == [[key]] * len(everything[name])


async def test_every_list_is_known_to_these_tests(plane: Plane) -> None:
    """Whoever adds one gives it the same parameters."""
    known = {path.replace("acme", "{account}").replace("/servery/", "/{account}/") for path in LISTS}
    others = {"/v1/accounts/{account}/webhooks/{webhook}/deliveries", "/v1/accounts/{account}/users/{user}/apiKeys"}
    lists = {
        route.path
        for route in plane.routes
        if "GET" in route.app.actions and route.app.actions["GET"].handler.__name__.startswith("list_")
    }
    assert {path for path in lists if path.startswith("/v1/") and path != "/v1/models"} == known | others


async def test_orders_and_pages_go_together(plane: Plane) -> None:
    """A page is one of what is left, in the order that was asked for; fields that are not there come last."""
    for user, role, name in (
        ("a", Role.USER, "2"),
        ("b", Role.ADMIN, "10"),
        ("c", Role.USER, "1"),
        ("d", Role.USER, "x"),
    ):
        await plane.call(
            "POST", "/v1/accounts/acme/users", body={"userId": user, "user": {"displayName": name, "role": role}}
        )
    wanted = f"filter={quote('role = user')}&orderBy={quote('displayName desc')}&readMask=displayName&pageSize=2"
    first = await plane.call("GET", f"/v1/accounts/acme/users?{wanted}")
    assert first["users"] == [{"displayName": "x"}, {"displayName": "2"}]
    assert first["totalSize"] == 3
    rest = await plane.call("GET", f"/v1/accounts/acme/users?{wanted}&pageToken={first['nextPageToken']}")
    assert (rest["users"], rest["nextPageToken"]) == ([{"displayName": "1"}], "")
    order = quote("role, displayName")
    all_of_them = await plane.call("GET", f"/v1/accounts/acme/users?orderBy={order}&readMask=role,displayName")
    assert [(each["role"], each["displayName"]) for each in all_of_them["users"]] == [
        ("admin", "10"),
        ("admin", ""),
        ("user", "1"),
        ("user", "2"),
        ("user", "x"),
    ]


async def test_the_log_has_one_order(plane: Plane) -> None:
    """It is not read whole to be put in another."""
    answer = await plane.call("GET", "/v1/accounts/acme/auditLogs?orderBy=timestamp", status=400)
    assert "one order" in str(answer["message"])


@pytest.mark.parametrize("asked", ["", f"filter={quote('role = user')}&"])
async def test_pages_hold_while_the_list_changes(plane: Plane, asked: str) -> None:
    """What is added or taken away between pages moves nothing; a token of another list is refused."""
    for user in ("a", "b", "c", "d", "e"):
        await plane.call("POST", "/v1/accounts/acme/users", body={"userId": user, "user": {"role": Role.USER}})
        plane.clock.advance(1.0)
    path = f"/v1/accounts/acme/users?{asked}pageSize="
    first = await plane.call("GET", f"{path}3")
    shown = [user["name"].rpartition("/")[2] for user in first["users"]]
    await plane.call("DELETE", f"/v1/accounts/acme/users/{shown[-1]}")
    await plane.call("POST", "/v1/accounts/acme/users", body={"userId": "f", "user": {"role": Role.USER}})
    rest = await plane.call("GET", f"{path}50&pageToken={first['nextPageToken']}")
    shown += [user["name"].rpartition("/")[2] for user in rest["users"]]
    assert [user for user in shown if user != "default"] == ["a", "b", "c", "d", "e", "f"]
    assert rest["nextPageToken"] == ""
    assert rest["totalSize"] == first["totalSize"]
    await plane.call("GET", f"/v1/accounts?pageToken={first['nextPageToken']}", key=plane.ops, status=400)


MANY = 3_000


class Row(msgspec.Struct):
    number: int
    shade: int
    note: str | UnsetType = UNSET


def row(number: int) -> Row:
    return Row(number, number * 7919 % 11, UNSET if number % 3 else f"note {number % 5}")


async def page_of_rows(after: tuple[int], most: int) -> Sequence[Row]:
    return [row(number) for number in range(after[0] + 1, min(after[0] + 1 + most, MANY))]


async def count_of_rows() -> int:
    return MANY


async def as_they_are(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


async def listed(**asked: str) -> dict[str, Any]:
    """A page of a list that only awaits what is there already."""
    request = Request({"type": "http", "headers": [], "query_string": urlencode(asked).encode()})
    source = PagedList(page=page_of_rows, count=count_of_rows, place=lambda row: (row.number,), start=(-1,))
    response = await Listing(request, Row).paged_response("rows", source, as_they_are)
    found: dict[str, Any] = msgspec.json.decode(response.body)
    return found


@pytest.mark.parametrize(
    ("asked", "shades", "order"),
    [
        ({}, range(11), []),
        ({"filter": "shade = 4"}, [4], []),
        ({"orderBy": "shade desc"}, range(11), ["-shade"]),
        ({"filter": "shade < 7", "orderBy": "note, shade desc"}, range(7), ["note", "-shade"]),
    ],
)
async def test_pages_of_a_long_list_are_all_of_it(
    asked: dict[str, str], shades: Sequence[int], order: list[str]
) -> None:
    """Each once, in the order that was asked for; what is alike stays as it was."""
    expected = [one for one in map(row, range(MANY)) if one.shade in shades]
    if "-shade" in order:
        expected.sort(key=lambda one: -one.shade)
    if "note" in order:
        expected.sort(key=lambda one: (one.note is UNSET, str(one.note)))
    numbers: list[int] = []
    token = ""
    while token or not numbers:
        page = await listed(**asked, pageSize="170", pageToken=token)
        assert page["totalSize"] == len(expected)
        numbers += [one["number"] for one in page["rows"]]
        token = page["nextPageToken"]
    assert numbers == [one.number for one in expected]


@pytest.mark.parametrize("asked", [{"filter": "shade = 4"}, {"orderBy": "shade"}])
async def test_a_list_that_is_looked_through_holds_up_nobody(asked: dict[str, str]) -> None:
    """However long it is: requests are served in between."""
    answer = asyncio.create_task(listed(**asked))
    turns = 0
    while not answer.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= MANY / 200
