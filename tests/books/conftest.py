"""A house whose books are examined, as in the tests of the request path."""

from tests.serving.conftest import house

__all__ = ["house"]
