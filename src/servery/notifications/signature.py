"""How a webhook knows that it was us: an HMAC over the moment and the body."""

import hashlib
import hmac

HEADER = "x-servery-signature"


def signature(secret: str, timestamp_s: int, body: bytes) -> str:
    """The header's value: ``t=1795200000,v1=<hex>``, the HMAC-SHA256 of ``<t>.<body>``. A receiver that checks ``t``
    cannot be shown an old delivery as a new one."""
    digest = hmac.new(secret.encode(), b"%d." % timestamp_s + body, hashlib.sha256).hexdigest()
    return f"t={timestamp_s},v1={digest}"
