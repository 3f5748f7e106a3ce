"""GPU time: seconds, intervals, and what they cost."""

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from servery.billing.gpu_time import GpuInterval, GpuRun, due_intervals, gpu_charge_nanodollars

SECOND_NS = 1_000_000_000
RUN = GpuRun(
    id="run-1", account="acme", deployment="d", accelerator_type="h100", accelerators=2, started_ns=5 * SECOND_NS
)


def intervals(posted_s: int, now_s: float, *, has_ended: bool = False) -> list[tuple[int, int]]:
    now_ns = RUN.started_ns + int(now_s * SECOND_NS)
    due = due_intervals(RUN, posted_s=posted_s, now_ns=now_ns, has_ended=has_ended)
    return [(one.from_s, one.until_s) for one in due]


def test_a_running_replica_is_posted_each_minute() -> None:
    """Whole minutes only, so that whoever posts them posts the same; the rest once it has ended."""
    assert intervals(0, 59.9) == []
    assert intervals(0, 121.5) == [(0, 60), (60, 120)]
    assert intervals(60, 121.5) == [(60, 120)]
    assert intervals(120, 135.9, has_ended=True) == [(120, 135)]
    assert intervals(135, 135.9, has_ended=True) == []


def test_a_clock_that_jumps_back_owes_nothing() -> None:
    """Neither a negative interval nor one twice."""
    assert intervals(0, -30) == []
    assert intervals(120, 70, has_ended=True) == []


def test_an_hour_costs_the_price_of_an_hour() -> None:
    """For each accelerator."""
    hour = GpuInterval(0, 3600)
    assert gpu_charge_nanodollars(hour, accelerators=1, microdollars_per_hour=8_000_000) == 8_000_000_000
    assert gpu_charge_nanodollars(hour, accelerators=8, microdollars_per_hour=8_000_000) == 64_000_000_000


@given(
    seconds=st.integers(1, 4_000),
    cuts=st.lists(st.integers(1, 3_999), max_size=6),
    accelerators=st.integers(1, 16),
    price=st.integers(0, 50_000_000),
)
def test_intervals_sum_to_the_run_however_it_is_cut(
    seconds: int, cuts: list[int], accelerators: int, price: int
) -> None:
    """To within the one rounding of the whole: half a nano-dollar."""
    edges = [0, *sorted({cut for cut in cuts if cut < seconds}), seconds]
    total = sum(
        gpu_charge_nanodollars(GpuInterval(a, b), accelerators=accelerators, microdollars_per_hour=price)
        for a, b in itertools.pairwise(edges)
    )
    assert abs(total - Fraction(seconds * accelerators * price * 1_000, 3_600)) <= Fraction(1, 2)
