"""Wall clocks that are set by hours while requests are served: durations, limits and admission do not notice.

As in ``test_pipeline`` the fixture examines the books, the places, the seats and the limits after each test.
"""

import asyncio

import pytest
from tests.fakes.engine_scripts import streams
from tests.serving.house import GLOBEX, PLAIN, House, asked

from servery.core.errors import LimitExceeded

HOURS = [-26, -3, 3, 26]


@pytest.mark.parametrize("hours", HOURS)
async def test_a_receipt_ends_after_it_began(house: House, hours: int) -> None:
    """And tells how long it took, here no time, though the clock was set in the midst of it. It ends by the clock as
    it is then."""
    gate = asyncio.Event()
    house.first.always = house.second.always = streams(hold=gate)
    task, reply = house.begin(asked())
    while not reply.frames:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    house.clock.set_wall(house.clock.wall_ns() + hours * 3_600_000_000_000)
    gate.set()
    await task
    (record,) = house.ended.records
    assert record.finished_ns == house.clock.wall_ns()
    assert record.finished_ns - record.started_ns == 0
    assert record.queue_wait_us == 0
    assert record.time_to_first_token_us == 0
    assert reply.served is not None
    assert reply.served.report.processing_time_s == 0.0


@pytest.mark.parametrize("hours", HOURS)
async def test_a_limit_is_refilled_by_time_alone(house: House, hours: int) -> None:
    """An account that has used up its limit gets no more of it, and loses nothing, when the clock is set."""
    house.first.always = streams(prompt=1_200)
    await house.serve(asked(PLAIN))
    with pytest.raises(LimitExceeded) as refusal:
        await house.serve(asked(PLAIN))
    before = house.limiter.reading("acme", PLAIN)
    house.clock.set_wall(house.clock.wall_ns() + hours * 3_600_000_000_000)
    with pytest.raises(LimitExceeded) as again:
        await house.serve(asked(PLAIN))
    assert again.value.retry_after_s == pytest.approx(refusal.value.retry_after_s, rel=0.5)
    after = house.limiter.reading("acme", PLAIN)
    assert before is not None
    assert after is not None
    assert (after.prompt_remaining, after.generated_remaining) == (before.prompt_remaining, before.generated_remaining)


@pytest.mark.parametrize("hours", HOURS)
async def test_requests_go_on_and_are_charged_once(house: House, hours: int) -> None:
    """Of two accounts, on all paths, with the clock set back and forth between any two of them."""
    for number in range(8):
        house.clock.set_wall(house.clock.wall_ns() + (-1) ** number * hours * 3_600_000_000_000)
        await house.serve(asked(priority=number % 3 == 0), *([GLOBEX] if number % 2 else []))
    assert len(house.ended.records) == 8
    assert house.gates["pair"].waiting == 0
