"""Whose request this is, beyond the account: its session, its cache partition, its cost labels."""

from typing import Final

from servery.core.errors import InvalidRequest

COST_LABELS = ("team", "project", "environment")
LABEL_CHARS_MAX: Final = 128
KEY_CHARS_MAX: Final = 1_024


def checked_key(key: str, *, param: str) -> str:
    """Raises InvalidRequest when it is unreasonably long."""
    if len(key) > KEY_CHARS_MAX:
        raise InvalidRequest(f"A key of this kind has at most {KEY_CHARS_MAX} characters.", param=param)
    return key


def session(headers: dict[str, str], body_key: str | None) -> str | None:
    """What pins related requests to a replica: a header, else what the body says."""
    key = headers.get("x-multi-turn-session-id") or headers.get("x-session-affinity") or body_key
    return checked_key(key, param="prompt_cache_key") if key else None


def isolation_key(headers: dict[str, str], body_key: str | None = None) -> str | None:
    """What separates prompt-cache entries within one account."""
    key = headers.get("x-prompt-cache-isolation-key") or body_key
    return checked_key(key, param="prompt_cache_isolation_key") if key else None


def cost_labels(headers: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """``Fireworks-Annotations: team=a,project=b,environment=c`` as pairs, in that order whatever the header's; other
    keys are dropped. Raises InvalidRequest when a label is unreasonably long."""
    annotations = headers.get("fireworks-annotations")
    if annotations is None:
        return ()
    given: dict[str, str] = {}
    for part in annotations.split(","):
        name, _, value = part.partition("=")
        given[name.strip()] = value.strip()
    labels = tuple((name, given[name]) for name in COST_LABELS if given.get(name))
    if any(len(value) > LABEL_CHARS_MAX for _, value in labels):
        raise InvalidRequest(f"A cost label has at most {LABEL_CHARS_MAX} characters.", param="Fireworks-Annotations")
    return labels
