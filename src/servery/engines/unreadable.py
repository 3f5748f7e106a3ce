"""What reading an engine's JSON raises when it is none, or none that is expected."""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""No JSON or another shape of it; no UTF-8; nested too deeply."""
