"""Moments as they are written in requests."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from servery.core.errors import InvalidRequest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2262, 1, 1, tzinfo=UTC)
"""Nanoseconds of later moments do not fit 64 bits."""

_MICROSECOND: Final = timedelta(microseconds=1)


def read_ns(text: str, *, param: str) -> int:
    """Nanoseconds since the Unix epoch of a moment as RFC 3339 writes it. Raises InvalidRequest."""
    try:
        return wall_ns(msgspec.convert(text, datetime), param=param)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{param} is RFC 3339, such as 2026-11-20T00:00:00Z, not {text!r}", param=param) from None


def wall_ns(moment: datetime, *, param: str) -> int:
    """Nanoseconds since the Unix epoch. Raises InvalidRequest for a moment without an offset, or outside of 1970 to
    2261."""
    if moment.tzinfo is None:
        raise InvalidRequest(f"{param} is RFC 3339 with an offset, such as 2027-01-31T00:00:00Z", param=param)
    if not _EPOCH <= moment < _LAST:
        raise InvalidRequest(f"{param} lies in the years from 1970 to 2261", param=param)
    return (moment - _EPOCH) // _MICROSECOND * 1000
