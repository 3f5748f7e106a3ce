"""How long a replica will be busy, and that nothing stays when requests have gone."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.routing.prefill_queue import PrefillQueue, Prompt


def test_the_first_prompt_is_computed_while_time_passes() -> None:
    """What is left of it, and all of the rest."""
    queue = PrefillQueue(rate=1_000)
    first = queue.enter(1, 2_000, 10.0, is_silent=False)
    second = queue.enter(2, 500, 10.5, is_silent=False)
    assert queue.backlog_s(10.5) == pytest.approx(2.0)
    assert queue.done_s == pytest.approx(12.5)
    assert queue.computed(first, sent_s=10.0, now_s=11.8) == pytest.approx(1.8)
    assert queue.backlog_s(11.8) == pytest.approx(0.5)
    assert queue.computed(second, sent_s=10.5, now_s=12.4) == pytest.approx(0.6)
    assert queue.backlog_s(12.4) == 0


def test_a_replica_that_hangs_looks_worse_and_worse() -> None:
    """Late by so much, it is expected to take as long again."""
    queue = PrefillQueue(rate=1_000)
    queue.enter(1, 1_000, 0.0, is_silent=False)
    assert [queue.backlog_s(now) for now in (0.0, 1.0, 5.0, 60.0)] == [1.0, 0.0, 4.0, 59.0]


def test_of_a_silent_prompt_the_time_is_believed() -> None:
    """Nobody tells when an answer that is no stream has begun."""
    queue = PrefillQueue(rate=1_000)
    silent = queue.enter(1, 1_000, 0.0, is_silent=True)
    queue.enter(2, 1_000, 0.0, is_silent=False)
    assert queue.backlog_s(1.5) == pytest.approx(0.5)
    assert queue.computed(silent, sent_s=0.0, now_s=9.0) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "computed", "gone"]), st.integers(0, 9), st.floats(0.1, 1e5)), max_size=60
)


@given(STEPS, st.booleans())
def test_no_token_outlives_its_request(steps: list[tuple[str, int, float]], silent: bool) -> None:
    """In whatever order they come and go; and no backlog is ever negative."""
    queue, now_s, here = PrefillQueue(rate=1_000), 0.0, dict[int, Prompt]()
    for what, number, amount in steps:
        now_s += 0.01
        if what == "enter" and number not in here:
            here[number] = queue.enter(number, amount, now_s, is_silent=silent)
        elif what == "computed" and number in here:
            queue.computed(here.pop(number), sent_s=now_s, now_s=now_s)
        elif what == "gone" and number in here:
            queue.gone(here.pop(number), now_s)
        assert queue.backlog_s(now_s) >= 0
        assert queue.pending_tokens >= -1e-6
    for prompt in here.values():
        queue.gone(prompt, now_s)
    assert queue.pending_tokens == queue.backlog_s(now_s) == 0
    assert queue.oldest is None


def test_what_a_replica_that_began_anew_had_been_sent_is_nobodys_any_more() -> None:
    """Nothing is pending, and who leaves later changes nothing of what was sent since."""
    queue = PrefillQueue(rate=1_000)
    lost = [queue.enter(number, 2_000, 0.0, is_silent=False) for number in range(3)]
    queue.clear()
    assert queue.pending_tokens == queue.backlog_s(1.0) == queue.telling == 0
    assert queue.oldest is None
    queue.enter(3, 500, 1.0, is_silent=False)
    for prompt in lost:
        assert queue.computed(prompt, sent_s=0.0, now_s=1.0) is None
        assert queue.computed_tokens(prompt, 1.0) == inf
        queue.gone(prompt, 1.0)
    assert queue.backlog_s(1.0) == pytest.approx(0.5)
