"""A trace made faster, cut, and dealt to accounts."""

from bisect import bisect_right
from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate, islice
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.core.serving_path import ServingPath
from servery.simulation.traces.request import Request, Trace

_SALT = 1 << 62
"""Beyond any block id: the blocks of different accounts never agree, because caches are not shared between them."""


class Dealing(StrEnum):
    """How requests are dealt to accounts: ``session`` gives those that begin alike, and so could share a cache, to one
    account; ``request`` deals each alone; ``keep`` leaves the accounts that the trace names."""

    KEEP = "keep"
    SESSION = "session"
    REQUEST = "request"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` is a factor; the window ``from_s`` to ``until_s`` is in the trace's own time, before that factor, and
    its beginning becomes the time 0. Of ``accounts`` the k-th is dealt a share that falls as 1 / k ** ``skew``.
    ``priority_share``, ``fast_share`` and ``batch_share`` of the requests, drawn one by one, become Priority, Fast and
    Batch; with all at 0 the trace's own paths stay.
    """

    rate: Annotated[float, Meta(gt=0)] = 1.0
    from_s: Annotated[float, Meta(ge=0)] = 0.0
    until_s: float | None = None
    most_requests: int | None = None
    accounts: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    dealing: Dealing = Dealing.KEEP
    skew: Annotated[float, Meta(ge=0)] = 0.0
    priority_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    fast_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    batch_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    seed: int = 0


class ShapedTrace:
    """``trace`` in ``shape``. Equal seeds deal equally."""

    def __init__(self, trace: Trace, shape: Shape) -> None:
        self._trace = trace
        self._shape = shape

    @property
    def block_tokens(self) -> int:
        return self._trace.block_tokens

    def requests(self) -> Iterator[Request]:
        shape = self._shape
        random = Random(f"dealing {shape.seed}")  # noqa: S311 - no secret hangs on who sends what
        dealt = _Dealt(shape)
        for request in islice(self._windowed(), shape.most_requests):
            account, blocks = request.account, request.blocks
            if shape.dealing is not Dealing.KEEP:
                number = dealt.number(request, random)
                account = f"account-{number}"
                blocks = tuple([block + number * _SALT for block in blocks]) if number else blocks
            yield Request(
                (request.arrives_s - shape.from_s) / shape.rate,
                request.prompt_tokens,
                request.generated_tokens,
                blocks,
                account,
                self._path(request, random),
                request.session,
            )

    def _windowed(self) -> Iterator[Request]:
        until_s = self._shape.until_s
        for request in self._trace.requests():
            if until_s is not None and request.arrives_s >= until_s:
                return
            if request.arrives_s >= self._shape.from_s:
                yield request

    def _path(self, request: Request, random: Random) -> ServingPath:
        priority, fast, batch = self._shape.priority_share, self._shape.fast_share, self._shape.batch_share
        if priority == fast == batch == 0.0:
            return request.path
        drawn = random.random()
        if drawn < priority:
            return ServingPath.PRIORITY
        if drawn < priority + fast:
            return ServingPath.FAST
        return ServingPath.BATCH if drawn < priority + fast + batch else ServingPath.STANDARD


class _Dealt:
    """Draws accounts."""

    def __init__(self, shape: Shape) -> None:
        self._by_session = shape.dealing is Dealing.SESSION
        self._seed = shape.seed
        self._most = shape.accounts - 1
        self._shares = list(accumulate((rank + 1) ** -shape.skew for rank in range(shape.accounts)))
        self._owners: dict[int, int] = {}

    def number(self, request: Request, random: Random) -> int:
        if not self._by_session:
            return self._drawn(random)
        # The first block alone is often a prompt that everybody has in common.
        begins = request.blocks[min(1, len(request.blocks) - 1)]
        number = self._owners.get(begins)
        if number is None:
            number = self._owners[begins] = self._drawn(random)
        return number

    def _drawn(self, random: Random) -> int:
        return min(self._most, bisect_right(self._shares, random.random() * self._shares[-1]))
