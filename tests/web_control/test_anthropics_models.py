"""Models as Anthropic's clients list them."""

from datetime import date
from typing import Any

import pytest
from anthropic.types import ModelInfo
from anthropic.types.beta import BetaModelInfo
from tests.web_control.conftest import Plane

from servery.catalog.offer import Offer
from servery.catalog.source import default_catalog
from servery.core.errors import InvalidRequest
from servery.core.value import changed
from servery.web.anthropic.models import model_info, model_page

VERSION = {"anthropic-version": "2023-06-01"}
DEMO = "accounts/servery/models/demo"
FAST = "accounts/servery/routers/demo-fast"


async def called(plane: Plane, path: str, status: int = 200) -> Any:
    response = await plane.client.get(path, headers={**VERSION, "x-api-key": plane.acme.key})
    assert response.status_code == status, response.text
    assert response.headers["request-id"] == response.headers["x-request-id"]
    return response.json()


@pytest.mark.parametrize("prefix", ["/inference/v1", "/v1"])
async def test_what_takes_messages_is_listed(plane: Plane, prefix: str) -> None:
    """As the objects that the official client declares, and nothing that has no vectors but answers."""
    listed = await called(plane, f"{prefix}/models")
    assert {**listed, "data": ...} == {"data": ..., "has_more": False, "first_id": DEMO, "last_id": FAST}
    assert [one["id"] for one in listed["data"]] == [DEMO, FAST]
    for one in listed["data"]:
        assert await called(plane, f"{prefix}/models/{one['id']}") == one
        for shape in (ModelInfo, BetaModelInfo):
            info = shape.model_validate_json(plane.client.build_request("POST", "/", json=one).content, strict=True)
            assert info.type == "model"
            assert (info.created_at.isoformat(), info.lifecycle) == ("2026-11-20T00:00:00+00:00", "active")
            assert (info.max_input_tokens, info.max_tokens) == (4096, 4096)
    assert [one["display_name"] for one in listed["data"]][1].endswith(" (fast)")


async def test_refusals_are_in_anthropics_envelope(plane: Plane) -> None:
    """For a name that is none, or that has vectors only; for a limit; for no key; for a path and a method."""
    for path, status, kind in (
        ("/v1/models/demo", 404, "not_found_error"),
        ("/v1/models/accounts/servery/models/demo-embed", 404, "not_found_error"),
        ("/v1/models?limit=0", 400, "invalid_request_error"),
        ("/v1/models?after_id=nobody", 400, "invalid_request_error"),
    ):
        refused = await called(plane, path, status)
        assert (refused["type"], refused["error"]["type"]) == ("error", kind)
        assert refused["request_id"]
    no_key = await plane.client.get("/v1/models", headers=VERSION)
    assert (no_key.status_code, no_key.json()["error"]["type"]) == (401, "authentication_error")
    posted = await plane.client.post("/v1/models", headers={**VERSION, "x-api-key": plane.acme.key})
    assert (posted.status_code, posted.json()["type"]) == (405, "error")


def offers(number: int) -> list[Offer]:
    """So many, each created a day after the one before."""
    (first, *_) = default_catalog(today=date(2026, 11, 20)).offers(date(2026, 11, 20))
    return [
        changed(first, name=f"m{at}", model=type(first.model)(**{**as_dict(first), "created": date(2026, 1, at + 1)}))
        for at in range(number)
    ]


def as_dict(offer: Offer) -> dict[str, Any]:
    return {name: getattr(offer.model, name) for name in offer.model.__struct_fields__}


def page(number: int, **query: str) -> tuple[list[str], bool]:
    shown = model_page(offers(number), query)
    names = [one.id for one in shown.data]
    assert (shown.first_id, shown.last_id) == ((names[0], names[-1]) if names else (None, None))
    return names, shown.has_more


def test_pages_go_either_way() -> None:
    """Newest first; twenty at once, unless a limit says otherwise; after one that is named, or before it."""
    assert page(3) == (["m2", "m1", "m0"], False)
    assert page(0) == ([], False)
    assert (len(page(25)[0]), page(25)[1]) == (20, True)
    assert page(5, limit="2") == (["m4", "m3"], True)
    assert page(5, limit="2", after_id="m3") == (["m2", "m1"], True)
    assert page(5, limit="2", after_id="m2") == (["m1", "m0"], False)
    assert page(5, limit="2", after_id="m0") == ([], False)
    assert page(5, limit="2", before_id="m1") == (["m3", "m2"], True)
    assert page(5, limit="2", before_id="m2") == (["m4", "m3"], False)
    assert page(5, limit="2", before_id="m4") == ([], False)


@pytest.mark.parametrize(
    "query",
    [{"limit": "1001"}, {"limit": "-1"}, {"limit": "x"}, {"after_id": "m9"}, {"after_id": "m0", "before_id": "m1"}],
)
def test_what_is_no_page_is_refused(query: dict[str, str]) -> None:
    """With the name of what is wrong."""
    with pytest.raises(InvalidRequest) as refused:
        page(2, **query)
    assert refused.value.param in query


def test_what_goes_is_deprecated() -> None:
    """From the day on that its end is known; it retires when it is no longer offered, the day after its last."""
    (offer,) = offers(1)
    assert (model_info(offer).lifecycle, model_info(offer).retires_at) == ("active", None)
    going = changed(offer, model=type(offer.model)(**{**as_dict(offer), "deprecation_date": date(2026, 12, 31)}))
    assert (model_info(going).lifecycle, model_info(going).retires_at) == ("deprecated", "2027-01-01T00:00:00Z")
