"""How many connections to an engine are kept, and for how long."""

import msgspec


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``idle_s`` stays under the 5 seconds after which llama.cpp closes an idle connection."""

    connect_timeout_s: float = 5.0
    idle_s: float = 3.0
    idle_connections: int = 512
