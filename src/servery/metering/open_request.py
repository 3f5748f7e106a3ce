"""A request that an engine works on."""

import msgspec

from servery.core.serving_path import ServingPath


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request between its dispatch and its end. One that outlives its platform was cut, and costs nothing."""

    request_id: str
    account: str
    key_id: str
    model: str
    serving_path: ServingPath
    replica: str
    opened_ns: int
