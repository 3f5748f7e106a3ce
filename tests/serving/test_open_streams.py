"""Streams that outgrow their reservations."""

import asyncio

from tests.fakes.engine_scripts import answers, streams
from tests.serving.house import ACME, HELLO, PLAIN, House, asked


async def test_a_stream_reserves_more_as_it_grows(house: House) -> None:
    """It was expected to generate 50 tokens at most, and has generated 120: so many are taken, and at its end as many
    as were used."""
    hold = asyncio.Event()
    house.first.always = streams(["x"] * 120, hold=hold)
    serving, reply = house.begin(asked(PLAIN))
    for _ in range(1_000):
        if len(reply.frames) >= 120:
            break
        await asyncio.sleep(0.001)
    before = house.limiter.reading(ACME.account, PLAIN)
    assert before is not None
    assert before.generated_remaining == 400 - 50
    assert HELLO.max_tokens == 50
    house.pipeline.open_streams.extend_grants()
    after = house.limiter.reading(ACME.account, PLAIN)
    assert after is not None
    assert 400 - 125 <= after.generated_remaining <= 400 - 115
    hold.set()
    await serving
    assert len(house.pipeline.open_streams) == 0


async def test_whole_answers_are_not_watched(house: House) -> None:
    """Of those nothing is known before their end."""
    house.first.always = house.second.always = answers()
    serving, _ = house.begin(asked(stream=False))
    await asyncio.sleep(0)
    assert len(house.pipeline.open_streams) == 0
    await serving
