"""The answer that says nothing."""

import msgspec


class Nothing(msgspec.Struct):
    """``{}``."""
