"""Lists, all of them: ``filter``, ``orderBy``, ``readMask`` and pages."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.core.errors import InvalidRequest
from servery.web.control.list_fields import ListField, Shown, list_field, ordering
from servery.web.control.list_filter import parse_filter
from servery.web.control.page import page_of, page_size
from servery.web.control.paged_list import PagedList

Item = TypeVar("Item")

_MOST_FIELDS: Final = 32


class Listing:
    """What ``request`` asks of a list of resources ``of`` one type. Raises InvalidRequest for what is not understood,
    before anything is looked up."""

    def __init__(self, request: Request, of: type[msgspec.Struct]) -> None:
        given = request.query_params
        self._request = request
        self._test = parse_filter(given.get("filter", ""), of)
        self._order = _order(given.get("orderBy", ""), of)
        self._mask = _mask(given.get("readMask", ""), of)

    def response(self, name: str, items: Sequence[Item], show: Callable[[Item], msgspec.Struct]) -> Response:
        """A page of those of ``items`` that are asked for, each as ``show`` makes it; ``totalSize`` counts them all."""
        if self._test is None and not self._order:
            page, token = page_of(self._request, items)
            return self._answer(name, [show(item) for item in page], token, total=len(items))
        chosen = [shown for shown in map(_shown, map(show, items)) if self._test is None or self._test(shown)]
        for field, descending in reversed(self._order):
            chosen = _sorted(chosen, field, descending=descending)
        page_shown, token = page_of(self._request, chosen)
        return self._answer(name, page_shown, token, total=len(chosen))

    async def paged_response(
        self,
        name: str,
        source: PagedList[Item, Any],
        show: Callable[[Sequence[Item]], Awaitable[Sequence[msgspec.Struct]]],
    ) -> Response:
        """As ``response``, of a list whose order the database knows: a page costs what is on it, unless a filter or an
        order are asked for. But in an order of the client's own, a token is a place in the list, so that what is added
        or taken away meanwhile moves nothing."""
        token, size = self._request.query_params.get("pageToken", ""), page_size(self._request)
        if self._order:
            everything = [shown for _, shown in await self._chosen(source, show, "")]
            return self.response(name, everything, lambda shown: shown)
        if self._test is None:
            items = await source.page(source.after(token), size + 1)
            resources: Sequence[Any] = await show(items[:size])
            last, total = items[size - 1 : size], await source.count()
            more = len(items) > size
        else:
            chosen = await self._chosen(source, show, token)
            resources = [shown for _, shown in chosen[:size]]
            last, more = [item for item, _ in chosen[size - 1 : size]], len(chosen) > size
            total = len(chosen if not token else await self._chosen(source, show, ""))
        return self._answer(name, resources, source.token(last[0]) if more else "", total=total)

    async def _chosen(
        self,
        source: PagedList[Item, Any],
        show: Callable[[Sequence[Item]], Awaitable[Sequence[msgspec.Struct]]],
        token: str,
    ) -> list[tuple[Item, Any]]:
        """Those behind a token's place that the filter lets through, each with what is shown of it."""
        chosen: list[tuple[Item, Any]] = []
        async for items in source.runs(token):
            resources = await show(items)
            chosen += [
                (item, resource)
                for item, resource in zip(items, resources, strict=True)
                if self._test is None or self._test(_shown(resource))
            ]
        return chosen

    def page_response(self, name: str, resources: Sequence[msgspec.Struct], token: str) -> Response:
        """Of a list that the database gives page by page, in its one order: what of this page is asked for. It may be
        short; there is more as long as it has a token."""
        if self._order:
            raise InvalidRequest("this list has one order, newest first; leave orderBy out", param="orderBy")
        if self._test is None:
            return self._answer(name, resources, token)
        return self._answer(name, [shown for shown in map(_shown, resources) if self._test(shown)], token)

    def _answer(
        self, name: str, resources: Sequence[msgspec.Struct | Shown], token: str, *, total: int | None = None
    ) -> Response:
        masked: Sequence[Any] = resources
        if self._mask:
            masked = [_masked(_shown(each), self._mask) for each in resources]
        answer: dict[str, Any] = {name: masked, "nextPageToken": token}
        if total is not None:
            answer["totalSize"] = total
        return Response(msgspec.json.encode(answer), media_type="application/json")


def _shown(resource: msgspec.Struct | Shown) -> Shown:
    """As its JSON says it."""
    shown: Shown = msgspec.json.decode(msgspec.json.encode(resource))
    return shown


def _sorted(shown: Sequence[Shown], field: ListField, *, descending: bool) -> list[Shown]:
    """Those without the field come last, whichever way."""
    present = [each for each in shown if field.value(each) is not None]
    present.sort(key=lambda each: ordering(field.value(each)), reverse=descending)
    return present + [each for each in shown if field.value(each) is None]


def _order(text: str, of: type[msgspec.Struct]) -> list[tuple[ListField, bool]]:
    """The fields, first the most significant, each with whether its order is descending."""
    order = []
    for part in _parts(text, "orderBy"):
        path, *directions = part.split()
        if directions not in ([], ["asc"], ["desc"]):
            raise InvalidRequest(
                f"orderBy is fields, each with asc or desc after it or nothing, not {part!r}", param="orderBy"
            )
        field = list_field(of, path, param="orderBy")
        if field.kind is None:
            raise InvalidRequest(f"{path!r} is no single value to be put in order", param="orderBy")
        order.append((field, directions == ["desc"]))
    return order


def _mask(text: str, of: type[msgspec.Struct]) -> list[ListField]:
    """None at all: all fields."""
    parts = _parts(text, "readMask")
    return [] if "*" in parts else [list_field(of, part, param="readMask") for part in parts]


def _parts(text: str, param: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > _MOST_FIELDS or not all(parts):
        raise InvalidRequest(f"{param} is up to {_MOST_FIELDS} fields with commas between them", param=param)
    return parts


def _masked(shown: Shown, mask: Sequence[ListField]) -> dict[str, Any]:
    masked: dict[str, Any] = {}
    for field in mask:
        value = field.value(shown)
        if value is None:
            continue
        inside = masked
        for part in field.parts[:-1]:
            inside = inside.setdefault(part, {})
        inside[field.parts[-1]] = value
    return masked
