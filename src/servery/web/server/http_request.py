"""One request as it came over the wire, whole."""

from typing import Final

from servery.core.acyclic import acyclic
from servery.tenancy.api_keys import secret_sha256
from servery.web.presented_key import presented_key

Header = tuple[bytes, bytes]

_LENGTH: Final = b"content-length"
KEY_NAMES: Final = frozenset({b"authorization", b"x-api-key"})
"""Of the headers that may hold an API key."""

_ITS_OWN: Final = KEY_NAMES | {_LENGTH}
"""What each of a connection's requests may say anew, where else their heads are the same."""


class RequestHead:
    """``headers`` in order of arrival with lower-case names; ``path`` without the query, still percent-encoded."""

    __slots__ = ("_by_name", "_key_sha256", "headers", "http_version", "keep_alive", "method", "path", "query")

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: bytes,
        headers: tuple[Header, ...],
        http_version: str,
        keep_alive: bool,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.http_version = http_version
        self.keep_alive = keep_alive
        self._by_name: dict[str, str] | None = None
        self._key_sha256: bytes | None = None

    @property
    def by_name(self) -> dict[str, str]:
        """Headers as text by lower-case name, of several with one name the last; without the body's length and the API
        key."""
        if self._by_name is None:
            self._by_name = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers if name not in _ITS_OWN
            }
        return self._by_name

    @property
    def key(self) -> str:
        """The API key that it presents. Raises Unauthenticated where there is none."""
        keys = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers if name in KEY_NAMES}
        return presented_key(keys)

    @property
    def key_sha256(self) -> bytes:
        """Its hash. Raises Unauthenticated where there is none."""
        if self._key_sha256 is None:
            self._key_sha256 = secret_sha256(self.key)
        return self._key_sha256

    def with_value(self, name: bytes, value: bytes) -> "RequestHead":
        """The same head with another length of the body, or another API key, in a header that it has once."""
        assert name in _ITS_OWN, "what stands in by_name stays"
        said = (name, value)
        head = RequestHead(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=tuple([said if header[0] == name else header for header in self.headers]),
            http_version=self.http_version,
            keep_alive=self.keep_alive,
        )
        head._by_name = self.by_name
        if name == _LENGTH:
            head._key_sha256 = self._key_sha256
        return head


@acyclic
class HttpRequest:
    """``client`` is the peer's host and port."""

    __slots__ = ("body", "client", "head")

    def __init__(self, head: RequestHead, body: bytes, client: tuple[str, int] | None) -> None:
        self.head = head
        self.body = body
        self.client = client
