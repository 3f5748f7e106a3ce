"""What the end of a response waits for."""

from enum import StrEnum


class Release(StrEnum):
    """Where the charge of a response is durable when its end is released."""

    SPOOL = "spool"
    """On the gateway's own disk, on its way into the database."""
    DATABASE = "database"
    """In the database; in the spool while that is away."""
