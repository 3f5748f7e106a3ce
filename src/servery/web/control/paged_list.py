"""A list of which the database knows its order, and gives page by page."""

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from servery.core.errors import InvalidRequest

Item = TypeVar("Item")
Place = TypeVar("Place", bound=tuple[int | str, ...])

_AT_ONCE: Final = 500
_LARGEST: Final = 2**63 - 1


class PagedList(Generic[Item, Place]):
    """``page`` gives so many items that follow a place, ``count`` how many there are in all, ``place`` where an item
    stands; ``start`` is the place before all of them."""

    def __init__(
        self,
        *,
        page: Callable[[Place, int], Awaitable[Sequence[Item]]],
        count: Callable[[], Awaitable[int]],
        place: Callable[[Item], Place],
        start: Place,
    ) -> None:
        self.page = page
        self.count = count
        self.place = place
        self._start = start

    async def runs(self, token: str = "") -> AsyncIterator[Sequence[Item]]:
        """All items behind a token's place, some hundred at a time: for PostgreSQL's sake, to which each is a trip."""
        after = self.after(token)
        while run := await self.page(after, _AT_ONCE):
            yield run
            if len(run) < _AT_ONCE:
                return
            after = self.place(run[-1])

    def after(self, token: str) -> Place:
        """The place that a token names. Raises InvalidRequest."""
        if not token:
            return self._start
        try:
            place: Place = msgspec.json.decode(
                base64.b64decode(token, altchars=b"-_", validate=True), type=_type(self._start)
            )
        except (binascii.Error, ValueError):  # which also is what msgspec says
            place = ()  # type: ignore[assignment]
        if not place or not all(_is_storable(part) for part in place):
            raise InvalidRequest("pageToken is not one that was given", param="pageToken")
        return place

    def token(self, last: Item) -> str:
        """That of the page that follows ``last``."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self.place(last))).decode()


def _type(place: Place) -> type[Place]:
    kinds: type[Place] = tuple[tuple(type(part) for part in place)]  # type: ignore[assignment,misc]
    return kinds


def _is_storable(part: int | str) -> bool:
    return "\0" not in part if isinstance(part, str) else -1 <= part <= _LARGEST
