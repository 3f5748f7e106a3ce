"""Where a request carries its API key."""

from collections.abc import Mapping

from servery.core.errors import Unauthenticated


def presented_key(headers: Mapping[str, str]) -> str:
    """From ``Authorization: Bearer``, or ``x-api-key`` as Anthropic's clients send it; header names are lower-case.
    Raises Unauthenticated when there is none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    if key := headers.get("x-api-key", "").strip():
        return key
    raise Unauthenticated("No API key was provided: send it as 'Authorization: Bearer <key>'.")
