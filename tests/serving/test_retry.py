"""When a request may be tried again."""

import pytest

from servery.core.errors import (
    EngineBroke,
    EngineTimeout,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    ServeryError,
)
from servery.serving.retry import ATTEMPTS, RetryBudget, may_retry


@pytest.mark.parametrize(
    ("kind", "retried"),
    [
        (EngineUnavailable, True),
        (EngineBroke, True),
        (Overloaded, True),
        (EngineTimeout, False),
        (InvalidRequest, False),
        (PayloadTooLarge, False),
    ],
)
def test_what_another_engine_may_do_better_is_tried_again(kind: type[ServeryError], retried: bool) -> None:
    """But only so often, and never what the caller did wrong or what has used up the time."""
    assert may_retry(kind("x"), attempt=0) is retried
    assert not may_retry(kind("x"), attempt=ATTEMPTS - 1)


def test_retries_follow_the_traffic() -> None:
    """A tenth of the requests, beyond what was saved up."""
    budget = RetryBudget(fraction=0.1, most=2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(11):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]
    for _ in range(1_000):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
