"""A request that an engine works on."""

from typing import Any

import msgspec

from servery.core.serving_path import ServingPath

Opened = tuple[Any, ...]
"""The values of an ``OpenRequest`` in the order of its fields: what is written, because it costs least to make."""


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request between its dispatch and its end. One that outlives its platform was cut, and costs nothing."""

    request_id: str
    account: str
    key_id: str
    model: str
    serving_path: ServingPath
    replica: str
    opened_ns: int


class _Written(OpenRequest, frozen=True, kw_only=True, array_like=True):
    """As it is written."""


_written = msgspec.json.Decoder(_Written)
_written_before = msgspec.json.Decoder(OpenRequest)


def read_request(text: bytes) -> OpenRequest:
    """What was written as ``Opened``, or as an object by an earlier version. Raises msgspec.DecodeError."""
    if text.startswith(b"{"):
        return _written_before.decode(text)
    return OpenRequest(**msgspec.structs.asdict(_written.decode(text)))
