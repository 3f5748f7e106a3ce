"""Virtual time."""

from servery.simulation.agenda import Agenda


def test_events_happen_in_the_order_of_their_time() -> None:
    """And of two at one moment the one that was planned first; the clock is theirs."""
    agenda, seen = Agenda(), list[tuple[str, float]]()

    def note(name: str) -> None:
        seen.append((name, agenda.clock.monotonic_s()))

    agenda.at(2.0, lambda: note("b"))
    agenda.at(1.0, lambda: note("a"))
    agenda.at(2.0, lambda: note("c"))
    agenda.run_until(1.5)
    assert seen == [("a", 1.0)]
    assert agenda.clock.monotonic_s() == 1.5
    agenda.run_out()
    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]


def test_what_is_planned_meanwhile_happens_too() -> None:
    """An event may plan another, also for a time that is past: it happens now, and time does not go back."""
    agenda, seen = Agenda(), list[float]()
    agenda.at(3.0, lambda: agenda.at(1.0, lambda: seen.append(agenda.clock.now_s)))
    agenda.run_out()
    assert seen == [3.0]


def test_the_wall_clock_may_be_wrong_and_the_monotonic_one_not() -> None:
    """Setting the wall clock leaves measured time alone."""
    clock = Agenda().clock
    before = clock.wall_ns()
    clock.wall_ahead_s = -3600.0
    assert clock.monotonic_s() == 0.0
    assert clock.wall_ns() == before - 3600 * 10**9
