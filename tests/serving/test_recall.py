"""Requests that are called back for a Priority one before their first byte: their clients notice nothing but time.

As in ``test_pipeline`` the fixture examines the books, the places, the seats and the limits after each test.
"""

import asyncio

import pytest
from tests.fakes.engine_scripts import OPENING, progress, sends, serves, stalls, token
from tests.fakes.recording_reply import RecordingReply
from tests.serving.house import GLOBEX, House, asked

from servery.core.usage import Usage

Begun = tuple[asyncio.Task[None], RecordingReply]


async def filled(house: House, *, stream: bool = True) -> list[Begun]:
    """Four Standard requests, two at each replica, none of which gets an answer."""
    house.first.always = house.second.always = stalls
    begun = [house.begin(asked(stream=stream)) for _ in range(4)]
    for engine in (house.first, house.second):
        await engine.wait_asked(2)
    house.first.always = house.second.always = serves()
    return begun


async def end(begun: list[Begun]) -> None:
    for task, _ in begun:
        task.cancel()
    await asyncio.gather(*(task for task, _ in begun), return_exceptions=True)


@pytest.mark.parametrize("stream", [True, False])
async def test_standard_makes_room_for_priority_and_is_served_after_it(house: House, stream: bool) -> None:
    """The newest is stopped at its engine, asked again, answered and charged once."""
    begun = await filled(house, stream=stream)
    reply = await house.serve(asked(priority=True), GLOBEX)
    assert reply.served is not None
    assert house.gates["pair"].recalls == 1
    done, _ = await asyncio.wait([task for task, _ in begun], return_when=asyncio.FIRST_COMPLETED)
    (task,) = done
    task.result()
    (served,) = [one for one in house.ended.records if one.account == "acme"]
    assert served.usage == Usage(12, 0, 2)
    await end(begun)


async def test_who_has_its_first_byte_is_left_in_peace(house: House) -> None:
    """The Priority waits for it."""
    house.first.always = house.second.always = sends(progress(12), OPENING, token("a"), then=stalls)
    begun = [house.begin(asked()) for _ in range(4)]
    while not all(reply.frames for _, reply in begun):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    priority = house.begin(asked(priority=True), GLOBEX)
    await asyncio.sleep(0.01)
    assert (house.gates["pair"].recalls, house.gates["pair"].waiting) == (0, 1)
    await end([*begun, priority])


async def test_a_client_that_leaves_while_it_waits_again_owes_nothing(house: House) -> None:
    """It got nothing; the others, whose engines were at work until the end, owe their prompts."""
    begun = await filled(house)
    house.first.always = house.second.always = stalls
    priority = house.begin(asked(priority=True), GLOBEX)
    while len(house.first.asked) + len(house.second.asked) < 5:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await end([*begun, priority])
    owed = [one.usage.prompt_tokens for one in house.ended.records if one.account == "acme"]
    assert sorted(map(bool, owed)) == [False, True, True, True]
