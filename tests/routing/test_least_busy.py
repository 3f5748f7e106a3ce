"""The least busy replica, against looking at all of them."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.least_busy import LeastBusy, Standing

COUNT = 5
STEPS = st.lists(
    st.tuples(
        st.integers(0, COUNT - 1), st.floats(0, 20), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 3), st.booleans()
    ),
    max_size=80,
)


@given(STEPS)
def test_it_is_the_one_that_looking_at_all_would_find(steps: list[tuple[int, float, float, int, bool]]) -> None:
    """While time passes: of those that are done the one with the least pressure, then work; of the others the first to
    be done, if that is soon. None that was taken away. Of one that has more to do than was shown nothing is told."""
    replicas, pressures = [Standing() for _ in range(COUNT)], [0.0] * COUNT
    order = LeastBusy(replicas, pressures.__getitem__)
    there: set[int] = set()
    for step, (number, done_s, pressure_s, computed, away) in enumerate(steps):
        now_s, replica = step * 0.25, replicas[number]
        if away:
            order.take_away(number)
            there.discard(number)
        else:
            was_later = number in there and replica.shown_done_s > now_s and done_s >= replica.shown_done_s
            replica.done_s, pressures[number], replica.computed_tokens = done_s, pressure_s, computed
            there.add(number)
            if not was_later:
                order.put(number)
        idle = [(pressures[at], one.computed_tokens, at) for at, one in enumerate(replicas) if one.done_s <= now_s]
        busy = [(one.done_s, at) for at, one in enumerate(replicas) if one.done_s > now_s]
        idle, busy = [one for one in idle if one[2] in there], [one for one in busy if one[1] in there]
        expected = [min(idle)[2]] if idle else []
        if busy and (not idle or min(busy)[0] - now_s < min(idle)[0]):
            expected.append(min(busy)[1])
        assert order.least(now_s) == expected
        assert len(order._busy) + len(order._idle) <= 8 * (COUNT + 1)
