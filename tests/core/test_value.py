"""Values say what they say, compiled or not."""

import pytest

from servery.core.caller import Caller
from servery.core.usage import Usage, corrected_usage
from servery.core.value import changed


def test_values_are_equal_where_they_say_the_same() -> None:
    """Each field counts; a value of another class is another."""
    usage = Usage(20, 8, 3, 1)
    assert usage == Usage(20, 8, 3, 1)
    assert hash(usage) == hash(Usage(20, 8, 3, 1))
    for other in (Usage(21, 8, 3, 1), Usage(20, 7, 3, 1), Usage(20, 8, 4, 1), Usage(20, 8, 3, 0)):
        assert usage != other
    assert usage != Usage(20, 8, 3, 1, estimated=True)
    assert usage != Caller("acme", "key")
    assert repr(usage).startswith("Usage(prompt_tokens=20, cached_prompt_tokens=8, ")


def test_what_is_changed_is_all_that_differs() -> None:
    """And the value that it came from stays."""
    caller = Caller("acme", "key", spend_tier=2, admin=True)
    other = changed(caller, account="globex")
    assert other == Caller("globex", "key", spend_tier=2, admin=True)
    assert caller.account == "acme"


def test_a_part_is_no_larger_than_the_whole() -> None:
    """Of an engine that says otherwise, the written rule makes a usage that is marked."""
    with pytest.raises(AssertionError):
        Usage(1, 2)
    assert corrected_usage(prompt_tokens=1, cached_prompt_tokens=2, generated_tokens=3) == Usage(
        1, 1, 3, estimated=True
    )
