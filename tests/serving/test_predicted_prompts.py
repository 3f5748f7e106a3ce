"""What is predicted to be cached follows what engines really computed, however a request ends."""

import asyncio

import msgspec
import pytest
from tests.fakes.engine_scripts import OPENING, dies, progress, sends, serves, stalls, token
from tests.serving.house import CHAT, GLOBEX, House, asked

from servery.core.errors import ServeryError
from servery.core.inference import Generation
from servery.routing.chain import text_chain
from servery.routing.wish import Wish

LONG = Generation(messages=msgspec.json.encode([{"role": "user", "content": "tell me more. " * 200}]), max_tokens=9)


def predicted(house: House, owner: str = "acme/") -> float:
    chain = text_chain(owner, LONG.prompt_bytes())
    return house.router.forecast(house.pools["pair"], Wish(owner=owner, chain=chain))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_that_was_answered_is_there(house: House, stream: bool) -> None:
    """As a stream or whole."""
    await house.serve(asked(CHAT, LONG, stream=stream))
    assert predicted(house) > 2_000


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_leaves_nothing(house: House, stream: bool) -> None:
    """No time passes here, so the engine has computed nothing."""
    house.first.always = house.second.always = stalls
    task, _ = house.begin(asked(CHAT, LONG, stream=stream))
    while not house.first.asked and not house.second.asked:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert predicted(house) > 2_000
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert predicted(house) == 0


async def test_a_client_that_leaves_in_the_midst_of_the_answer_leaves_its_prompt(house: House) -> None:
    """It was computed."""
    house.first.always = house.second.always = sends(progress(700), OPENING, token("a"), then=stalls)
    task, reply = house.begin(asked(CHAT, LONG))
    while not reply.frames:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert predicted(house) > 2_000


async def test_engines_that_die_leave_nothing(house: House) -> None:
    """Nor does the one that it is tried at again."""
    house.first.always = house.second.always = dies
    with pytest.raises(ServeryError):
        await house.serve(asked(CHAT, LONG))
    assert predicted(house) == 0


async def test_what_was_called_back_is_predicted_where_it_was_served(house: House) -> None:
    """It was withdrawn where it was stopped."""
    house.first.always = house.second.always = stalls
    begun = [house.begin(asked()) for _ in range(3)]
    called_back, _ = house.begin(asked(CHAT, LONG))
    for engine in (house.first, house.second):
        await engine.wait_asked(2)
    assert predicted(house) > 2_000
    priority, _ = house.begin(asked(priority=True), GLOBEX)
    while not house.gates["pair"].recalls:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    while house.gates["pair"].waiting != 1:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert predicted(house) == 0
    house.first.always = house.second.always = serves()
    for task in (priority, *(task for task, _ in begun)):
        task.cancel()
    await asyncio.gather(priority, *(task for task, _ in begun), return_exceptions=True)
    await called_back
    assert predicted(house) > 2_000
