"""Refused requests: why each of the last ones was, kept in memory alone."""

from collections import OrderedDict

import msgspec


class RefusedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was refused, or failed before its first byte; it cost nothing. ``retry_after_s`` as was told."""

    request_id: str
    account: str
    key_id: str
    status: int
    code: str
    message: str
    retry_after_s: float | None
    refused_ns: int


class RefusedRequests:
    """The last ``most`` of them. They are not worth a write each: under overload they come by the thousand."""

    def __init__(self, *, most: int = 10_000) -> None:
        assert most > 0, "a place for the last one"
        self._most = most
        self._by_id: OrderedDict[str, RefusedRequest] = OrderedDict()

    def add(self, refused: RefusedRequest) -> None:
        if len(self._by_id) >= self._most:
            self._by_id.popitem(last=False)
        self._by_id[refused.request_id] = refused

    def find(self, account: str, request_id: str) -> RefusedRequest | None:
        """The account's refused request of that id, if it is still known."""
        refused = self._by_id.get(request_id)
        return refused if refused is not None and refused.account == account else None
