"""How long a replica will be busy, and that nothing stays when requests have gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.routing.prefill_queue import PrefillQueue


def test_the_first_prompt_is_computed_while_time_passes() -> None:
    """What is left of it, and all of the rest."""
    queue = PrefillQueue(rate=1_000)
    queue.enter(1, 2_000, 10.0, is_silent=False)
    queue.enter(2, 500, 10.5, is_silent=False)
    assert queue.backlog_s(10.5) == pytest.approx(2.0)
    assert queue.done_s == pytest.approx(12.5)
    assert queue.computed(1, sent_s=10.0, now_s=11.8) == pytest.approx(1.8)
    assert queue.backlog_s(11.8) == pytest.approx(0.5)
    assert queue.computed(2, sent_s=10.5, now_s=12.4) == pytest.approx(0.6)
    assert queue.backlog_s(12.4) == 0


def test_a_replica_that_hangs_looks_worse_and_worse() -> None:
    """Late by so much, it is expected to take as long again."""
    queue = PrefillQueue(rate=1_000)
    queue.enter(1, 1_000, 0.0, is_silent=False)
    assert [queue.backlog_s(now) for now in (0.0, 1.0, 5.0, 60.0)] == [1.0, 0.0, 4.0, 59.0]


def test_of_a_silent_prompt_the_time_is_believed() -> None:
    """Nobody tells when an answer that is no stream has begun."""
    queue = PrefillQueue(rate=1_000)
    queue.enter(1, 1_000, 0.0, is_silent=True)
    queue.enter(2, 1_000, 0.0, is_silent=False)
    assert queue.backlog_s(1.5) == pytest.approx(0.5)
    assert queue.computed(1, sent_s=0.0, now_s=9.0) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "computed", "gone"]), st.integers(0, 9), st.floats(0.1, 1e5)), max_size=60
)


@given(STEPS, st.booleans())
def test_no_token_outlives_its_request(steps: list[tuple[str, int, float]], silent: bool) -> None:
    """In whatever order they come and go; and no backlog is ever negative."""
    queue, now_s, here = PrefillQueue(rate=1_000), 0.0, set()
    for what, number, amount in steps:
        now_s += 0.01
        if what == "enter" and number not in here:
            queue.enter(number, amount, now_s, is_silent=silent)
            here.add(number)
        elif what == "computed":
            queue.computed(number, sent_s=now_s, now_s=now_s)
            here.discard(number)
        elif what == "gone":
            queue.gone(number, now_s)
            here.discard(number)
        assert queue.backlog_s(now_s) >= 0
        assert queue.pending_tokens >= -1e-6
    for number in here:
        queue.gone(number, now_s)
    assert queue.pending_tokens == queue.backlog_s(now_s) == 0
    assert queue.oldest is None
