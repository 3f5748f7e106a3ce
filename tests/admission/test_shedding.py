"""Who is refused at once."""

from itertools import pairwise

import pytest

from servery.admission.shedding import Lots, chance_of_shedding


def test_the_chance_rises_smoothly() -> None:
    """Nothing up to half of the budget, everything from all of it on, and never a jump between."""
    assert chance_of_shedding(0.0, 10.0) == chance_of_shedding(5.0, 10.0) == 0.0
    assert chance_of_shedding(7.5, 10.0) == pytest.approx(0.5)
    assert chance_of_shedding(10.0, 10.0) == chance_of_shedding(1e9, 10.0) == 1.0
    chances = [chance_of_shedding(n / 100, 10.0) for n in range(1_200)]
    assert all(0.0 <= later - earlier < 0.005 for earlier, later in pairwise(chances))


def test_calls_of_one_session_share_a_lot_for_an_hour() -> None:
    """Whoever they are sent to; another hour, session or account is another lot."""
    first, second = Lots(), Lots()
    lot = first.of("a", "s", 7_200.0)
    assert second.of("a", "s", 10_799.0) == lot
    assert len({lot, first.of("a", "s", 10_800.0), first.of("a", "t", 7_200.0), first.of("b", "s", 7_200.0)}) == 4


@pytest.mark.parametrize("sessions", [True, False])
def test_the_wanted_fraction_is_met(sessions: bool) -> None:
    """Of sessions by their hashes, of others one after another, to the request."""
    lots = Lots()
    drawn = [lots.of("a", f"s{n}" if sessions else None, 0.0) for n in range(1_000)]
    for chance in (0.1, 0.5, 0.9):
        met = sum(lot < chance for lot in drawn)
        assert met == pytest.approx(1_000 * chance, abs=50 if sessions else 3)
