"""Places in lists that the database gives page by page: what is added or taken away meanwhile moves nothing."""

from typing import Final

Name = tuple[str]
"""The place of a row in a list in the order of names."""

Age = tuple[int, str]
"""The place of a row in a list with the oldest first: when it was created, in nanoseconds, and its name."""

BEFORE_ALL_NAMES: Final[Name] = ("",)
BEFORE_ALL_AGES: Final[Age] = (-1, "")
