"""docs/webhooks.md names every kind of event, and no other."""

import re
from pathlib import Path

from servery.notifications.event import EventKind
from servery.notifications.signature import signature

DOCUMENT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_each_kind_has_its_row() -> None:
    """In the table of types."""
    told = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", DOCUMENT, flags=re.MULTILINE)
    assert sorted(told) == sorted(EventKind)


def test_the_receivers_example_works() -> None:
    """It takes what is signed, and refuses what was changed."""
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    scope: dict[str, object] = {}
    exec(code, scope)
    check = scope["is_from_servery"]
    header = signature("secret", 1_795_200_000, b'{"a":1}')
    assert check("secret", header, b'{"a":1}')  # type: ignore[operator]
    assert not check("secret", header, b'{"a":2}')  # type: ignore[operator]
    assert not check("other", header, b'{"a":1}')  # type: ignore[operator]
