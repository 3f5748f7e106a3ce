"""Where a tool call is required of llama.cpp, the pipeline has the answer begin as a call does."""

import json

import msgspec
import pytest
from tests.fakes.engine_scripts import refuses, serves
from tests.fakes.fake_engine import FakeExchange, Script
from tests.serving.house import HELLO, House, asked

from servery.core.errors import InvalidRequest
from servery.core.value import changed

TOOLS = msgspec.Raw(b'[{"type":"function","function":{"name":"f"}}]')
MUST = changed(HELLO, tools=TOOLS, tool_choice=msgspec.Raw(b'"required"'))
OPENING = {"role": "assistant", "content": "<call>"}


def with_template(then: Script) -> Script:
    async def script(exchange: FakeExchange) -> None:
        if exchange.path != "/apply-template":
            await then(exchange)
            return
        is_called = len(exchange.json["messages"]) > 1
        exchange.whole(200, json.dumps({"prompt": 'go <call>{"name": "trial"}' if is_called else "go "}).encode())

    return script


def asked_with(house: House) -> list[bool]:
    """Of the requests for inference, in order: whether they were sent with the opening."""
    sent = [one.json["messages"] for one in [*house.first.asked, *house.second.asked] if one.path != "/apply-template"]
    return [messages[-1] == OPENING for messages in sent]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_engine_goes_on_from_a_calls_beginning(house: House, stream: bool) -> None:
    """Which it is asked for once; other requests are sent as they are."""
    for engine in (house.first, house.second):
        engine.always = with_template(serves())
    await house.serve(asked("accounts/servery/models/chat", MUST, stream=stream))
    assert asked_with(house) == [True]
    await house.serve(asked("accounts/servery/models/chat", changed(MUST, tool_choice=None), stream=stream))
    assert sorted(asked_with(house)) == [False, True]


async def test_an_engine_that_refuses_the_opening_is_asked_without_it(house: House) -> None:
    """So nothing is refused that was served before; what is wrong with a request is said by the second refusal."""
    for engine in (house.first, house.second):
        engine.always = with_template(refuses(400, "what is that?"))
    with pytest.raises(InvalidRequest, match="what is that"):
        await house.serve(asked("accounts/servery/models/chat", MUST))
    assert asked_with(house) == [True, False]
