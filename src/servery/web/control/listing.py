"""Lists, all of them: ``filter``, ``orderBy``, ``readMask`` and pages."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.core.errors import InvalidRequest
from servery.web.control.list_fields import ListField, Shown, list_field, parts
from servery.web.control.list_filter import parse_filter
from servery.web.control.list_order import ListOrder, Ranked
from servery.web.control.page import page_of, page_size, reach_of
from servery.web.control.paged_list import PagedList

Item = TypeVar("Item")

_KEPT_BESIDE: Final = 1_000
"""So many more than an answer needs are kept of a list that is put in order, at the least: so it is sorted seldom."""


class Listing:
    """What ``request`` asks of a list of resources ``of`` one type. Raises InvalidRequest for what is not understood,
    before anything is looked up."""

    def __init__(self, request: Request, of: type[msgspec.Struct]) -> None:
        given = request.query_params
        self._request = request
        self._test = parse_filter(given.get("filter", ""), of)
        self._order = ListOrder(given.get("orderBy", ""), of)
        self._mask = _mask(given.get("readMask", ""), of)

    def response(self, name: str, items: Sequence[Item], show: Callable[[Item], msgspec.Struct]) -> Response:
        """A page of those of ``items`` that are asked for, each as ``show`` makes it; ``totalSize`` counts them all."""
        if self._test is None and not self._order:
            page, token = page_of(self._request, items)
            return self._answer(name, [show(item) for item in page], token, total=len(items))
        chosen = [shown for shown in map(_shown, map(show, items)) if self._test is None or self._test(shown)]
        page_ranked, token = page_of(self._request, self._order.sorted(list(map(self._order.ranked, chosen))))
        return self._answer(name, [shown for _, shown in page_ranked], token, total=len(chosen))

    async def paged_response(
        self,
        name: str,
        source: PagedList[Item, Any],
        show: Callable[[Sequence[Item]], Awaitable[Sequence[msgspec.Struct]]],
    ) -> Response:
        """As ``response``, of a list whose order the database knows: a page costs what is on it, unless a filter or an
        order are asked for. Then all of the list is looked through, a part at a time: whoever else waits for the event
        loop comes between. But in an order of the client's own, a token is a place in the list, so that what is added
        or taken away meanwhile moves nothing."""
        if self._order:
            return await self._ordered_response(name, source, show)
        token, size = self._request.query_params.get("pageToken", ""), page_size(self._request)
        if self._test is None:
            items = await source.page(source.after(token), size + 1)
            shown: Sequence[msgspec.Struct | Shown] = await show(items[:size])
            total = await source.count()
        else:
            chosen: list[tuple[Item, Shown]] = []
            total = 0
            async with aclosing(self._chosen(source, show, token)) as looked_at:
                async for part in looked_at:
                    chosen += part[: size + 1 - len(chosen)]
                    total += len(part)
                    if token and len(chosen) > size:
                        break
            if token:
                total = sum([len(part) async for part in self._chosen(source, show, "")])
            items, shown = [item for item, _ in chosen], [shown for _, shown in chosen[:size]]
        return self._answer(name, shown, source.token(items[size - 1]) if len(items) > size else "", total=total)

    async def _ordered_response(
        self,
        name: str,
        source: PagedList[Item, Any],
        show: Callable[[Sequence[Item]], Awaitable[Sequence[msgspec.Struct]]],
    ) -> Response:
        """Of what has been looked through, little more is kept than the answer needs."""
        reach, total = reach_of(self._request), 0
        first: list[Ranked] = []
        async for part in self._chosen(source, show, ""):
            total += len(part)
            first += [self._order.ranked(shown) for _, shown in part]
            if len(first) > 2 * reach + _KEPT_BESIDE:
                first = list(self._order.sorted(first)[:reach])
        page, token = page_of(self._request, self._order.sorted(first))
        return self._answer(name, [shown for _, shown in page], token, total=total)

    async def _chosen(
        self,
        source: PagedList[Item, Any],
        show: Callable[[Sequence[Item]], Awaitable[Sequence[msgspec.Struct]]],
        token: str,
    ) -> AsyncGenerator[list[tuple[Item, Shown]], None]:
        """Those behind a token's place that the filter lets through, each with what is shown of it, part by part. To
        read a part, to show it and to look at it takes the event loop some milliseconds each."""
        async for items in source.runs(token):
            await asyncio.sleep(0)
            resources = await show(items)
            await asyncio.sleep(0)
            pairs = zip(items, map(_shown, resources), strict=True)
            yield [(item, shown) for item, shown in pairs if self._test is None or self._test(shown)]
            await asyncio.sleep(0)

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


def _mask(text: str, of: type[msgspec.Struct]) -> list[ListField]:
    """None at all: all fields."""
    paths = parts(text, param="readMask")
    return [] if "*" in paths else [list_field(of, path, param="readMask") for path in paths]


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
