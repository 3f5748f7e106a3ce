"""One request as it came over the wire, whole."""

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``headers`` in order of arrival with lower-case names; ``path`` without the query, still percent-encoded."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    http_version: str
    keep_alive: bool
    client: tuple[str, int] | None = None
