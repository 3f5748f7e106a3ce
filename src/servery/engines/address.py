"""Where an engine listens, and with which key it is asked."""

from urllib.parse import urlsplit

import msgspec

from servery.core.engine_family import EngineFamily


class EngineAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's door. ``served_model`` is the name by which the engine knows its model; ``base_path`` precedes
    ``/v1/...``. The key stays out of ``repr``."""

    family: EngineFamily
    host: str
    port: int
    tls: bool = False
    base_path: str = ""
    served_model: str = ""
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"EngineAddress({self.family.value} at {self.host}:{self.port}{self.base_path})"


def address_from_url(url: str, *, family: EngineFamily, served_model: str, api_key: str | None) -> EngineAddress:
    """Raises ValueError with a sentence for people when ``url`` is not an http(s) URL without query."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r} is not of the form http(s)://host[:port][/path]")
    tls = parts.scheme == "https"
    return EngineAddress(
        family=family,
        host=parts.hostname,
        port=parts.port or (443 if tls else 80),
        tls=tls,
        base_path=parts.path.rstrip("/").removesuffix("/v1"),
        served_model=served_model,
        api_key=api_key,
    )
