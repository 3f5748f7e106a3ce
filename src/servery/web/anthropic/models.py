"""What can be asked for messages, as Anthropic lists it: newest first, in pages."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import msgspec

from servery.catalog.offer import Offer
from servery.core.errors import InvalidRequest
from servery.core.serving_path import Endpoint, ServingPath

_DEFAULT_LIMIT: Final = 20
_MAX_LIMIT: Final = 1_000


class ModelInfo(msgspec.Struct, tag_field="type", tag="model"):
    """Times are RFC 3339. ``lifecycle`` is ``deprecated`` once it is known when the model goes; that is ``retires_at``.
    ``capabilities`` and ``line`` are of Anthropic's own models."""

    id: str
    display_name: str
    created_at: str
    lifecycle: str
    max_input_tokens: int
    max_tokens: int
    retires_at: str | None = None
    deprecated_at: str | None = None
    capabilities: None = None
    line: None = None


class ModelPage(msgspec.Struct):
    """``has_more``: in the direction in which it was asked."""

    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


def model_info(offer: Offer) -> ModelInfo:
    """A model or router. Which has a name to show takes that, with the serving path beside it where it is another."""
    model, end = offer.model, offer.model.deprecation_date
    shown = model.display_name or model.name.rpartition("/")[2]
    return ModelInfo(
        id=offer.name,
        display_name=shown if offer.path is ServingPath.STANDARD else f"{shown} ({offer.path.value})",
        created_at=_midnight(model.created),
        lifecycle="active" if end is None else "deprecated",
        max_input_tokens=model.context_length,
        max_tokens=model.context_length,
        retires_at=None if end is None else _midnight(end + timedelta(days=1)),
    )


def takes_messages(offer: Offer) -> bool:
    """Whether Anthropic's clients can ask for it."""
    return Endpoint.CHAT in offer.endpoints


def model_page(offers: list[Offer], query: Mapping[str, str]) -> ModelPage:
    """The page that ``query`` asks for with ``limit``, ``after_id`` and ``before_id``. Raises InvalidRequest."""
    offers = sorted(offers, key=lambda offer: offer.model.created, reverse=True)
    limit, after, before = _limit(query.get("limit")), query.get("after_id"), query.get("before_id")
    if after and before:
        raise InvalidRequest("after_id: excludes before_id.", param="after_id")
    if before:
        end = _place(offers, before, param="before_id")
        start = max(0, end - limit)
        page, has_more = offers[start:end], start > 0
    else:
        start = _place(offers, after, param="after_id") + 1 if after else 0
        page, has_more = offers[start : start + limit], start + limit < len(offers)
    first, last = (page[0].name, page[-1].name) if page else (None, None)
    return ModelPage([model_info(offer) for offer in page], has_more, first, last)


def _place(offers: list[Offer], name: str, *, param: str) -> int:
    for place, offer in enumerate(offers):
        if offer.name == name:
            return place
    raise InvalidRequest(f"{param}: there is no model {name!r}.", param=param)


def _limit(text: str | None) -> int:
    if not text:
        return _DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= _MAX_LIMIT:
        return int(text)
    raise InvalidRequest(f"limit: a whole number from 1 to {_MAX_LIMIT}.", param="limit")


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
