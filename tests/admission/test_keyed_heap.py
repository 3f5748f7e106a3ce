"""A heap whose keys change, against a dictionary that is sorted each time."""

from hypothesis import given
from hypothesis import strategies as st

from servery.admission.keyed_heap import KeyedHeap

STEPS = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(-3, 3))), max_size=300)


@given(STEPS)
def test_the_smallest_comes_first(steps: list[tuple[int, int | None]]) -> None:
    """Whatever was set anew and taken out before; what is left behind of that stays bounded."""
    heap: KeyedHeap[int] = KeyedHeap()
    model: dict[int, int] = {}
    for item, key in steps:
        if key is None:
            heap.discard(item)
            model.pop(item, None)
        else:
            heap.set(item, key)
            if model.get(item) != key:
                model.pop(item, None)
                model[item] = key
        assert len(heap) == len(model)
        found = heap.first()
        # min takes the first of equals, and the dictionary is in the order in which its keys got their numbers
        assert found == (None if not model else (min(model.values()), min(model, key=lambda one: model[one])))
        assert len(heap._entries) <= 2 * len(model) + 65 + 5


def test_a_heap_that_is_cleared_is_empty() -> None:
    """And takes what comes then."""
    heap: KeyedHeap[str] = KeyedHeap()
    heap.set("a", 1)
    heap.clear()
    assert heap.first() is None
    heap.set("a", 2)
    assert heap.first() == (2, "a")
