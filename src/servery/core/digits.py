"""Numbers as they are written into bytes."""

from typing import Final

_KNOWN_BELOW: Final = 4_096
_KNOWN: Final = [b"%d" % number for number in range(_KNOWN_BELOW)]


def digits(number: int) -> bytes:
    """``number`` in decimal digits. Most that an answer tells are small, and looked up at a quarter of what making them
    costs."""
    return _KNOWN[number] if 0 <= number < _KNOWN_BELOW else b"%d" % number
