"""The least busy replica, against looking at all of them."""

from hypothesis import given
from hypothesis import strategies as st

from servery.routing.least_busy import LeastBusy

COUNT = 5
PUTS = st.lists(
    st.tuples(
        st.integers(0, COUNT - 1), st.floats(0, 20), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 3), st.booleans()
    ),
    max_size=80,
)


@given(PUTS)
def test_it_is_the_one_that_looking_at_all_would_find(
    puts: list[tuple[int, float, float, int, bool]],
) -> None:
    """While time passes: of those that are done the one with the least pressure, then work; of the others the first to
    be done, if that is soon. None that was taken away."""
    order = LeastBusy()
    for _ in range(COUNT):
        order.add()
    known: dict[int, tuple[float, float, int]] = {}
    for step, (number, done_s, pressure_s, computed, away) in enumerate(puts):
        now_s = step * 0.25
        if away:
            order.take_away(number)
            known.pop(number, None)
        else:
            order.put(number, done_s=done_s, pressure_s=pressure_s, computed_tokens=computed)
            known[number] = (done_s, pressure_s, computed)
        idle = [(pressure, work, one) for one, (done, pressure, work) in known.items() if done <= now_s]
        busy = [(done, one) for one, (done, _, _) in known.items() if done > now_s]
        expected = [min(idle)[2]] if idle else []
        if busy and (not idle or min(busy)[0] - now_s < min(idle)[0]):
            expected.append(min(busy)[1])
        assert order.least(now_s) == expected
        assert len(order._busy) + len(order._idle) <= 8 * (COUNT + 1)
