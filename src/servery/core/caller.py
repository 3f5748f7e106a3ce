"""Who is calling: the fact that authentication adds to a request."""

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """An account, through one of its API keys. ``spend_tier`` is 1 to 4; ``admin`` may operate the platform. An account
    that is not ``funded`` has nothing to pay with and may make only a few requests a minute."""

    account: str
    key_id: str
    spend_tier: int = 1
    admin: bool = False
    funded: bool = True
