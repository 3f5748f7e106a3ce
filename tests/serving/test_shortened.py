"""An engine that refuses an answer that would not fit is asked for one that does.

vLLM's words are those of versions before 0.32 (newer ones shorten by themselves); SGLang's those of its source. Neither
runs here.
"""

from typing import Any

import pytest
from tests.fakes.engine_scripts import refuses, serves
from tests.fakes.fake_engine import FakeExchange
from tests.serving.house import HELLO, PLAIN, House, asked

from servery.core.errors import ContextExceeded, EngineUnavailable
from servery.core.inference import InferenceRequest
from servery.core.value import changed

TOO_LONG = (
    "This model's maximum context length is 1024 tokens. However, you requested 1000 output tokens and your prompt"
)
COUNTED = f"{TOO_LONG} contains 100 input tokens, for a total of 1100 tokens."
NOT_COUNTED = f"{TOO_LONG} contains at least 25 input tokens, for a total of at least 1025 tokens."


def asked_for(max_tokens: int, **fields: Any) -> InferenceRequest:
    request = asked(PLAIN, changed(HELLO, max_tokens=max_tokens))
    return changed(request, **fields)


def sent(house: House) -> list[tuple[str, int | None]]:
    return [(one.path, one.json.get("max_tokens")) for one in house.first.asked]


async def counts(exchange: FakeExchange) -> None:
    exchange.whole(200, b'{"count": 100, "max_model_len": 1024, "tokens": []}')


@pytest.mark.parametrize("stream", [True, False])
async def test_the_answer_is_what_the_prompt_leaves_room_for(house: House, stream: bool) -> None:
    """Told by the refusal itself; the client sees a whole answer and pays for one."""
    house.first.scripts.append(refuses(400, COUNTED))
    reply = await house.serve(asked_for(1000, stream=stream))
    assert reply.served is not None
    assert sent(house) == [("/v1/chat/completions", 1000), ("/v1/chat/completions", 924)]
    assert len(house.ended.records) == 1


async def test_a_prompt_that_was_not_counted_whole_is_counted_first(house: House) -> None:
    """By the engine itself."""
    house.first.scripts.extend([refuses(400, NOT_COUNTED), counts, serves()])
    await house.serve(asked_for(1000))
    assert sent(house) == [("/v1/chat/completions", 1000), ("/tokenize", None), ("/v1/chat/completions", 924)]


async def test_who_wants_the_error_gets_it(house: House) -> None:
    """The prompt is counted before, because a newer engine would shorten without a word."""
    house.first.scripts.extend([counts])
    with pytest.raises(Exception, match="100 tokens and max_tokens is 1000"):
        await house.serve(asked_for(1000, truncate_to_context=False))
    assert [path for path, _ in sent(house)] == ["/tokenize"]


async def test_it_is_tried_once(house: House) -> None:
    """An engine that refuses the shorter answer too is believed; so is one whose numbers leave nothing to gain."""
    house.first.always = refuses(400, COUNTED)
    with pytest.raises(ContextExceeded):
        await house.serve(asked_for(1000))
    assert len(house.first.asked) == 2
    with pytest.raises(ContextExceeded):
        await house.serve(asked_for(900))
    assert len(house.first.asked) == 3


async def test_an_engine_that_cannot_count_is_at_fault(house: House) -> None:
    """As one that cannot answer: it is counted as a fault of its replica, and there is none besides."""
    house.first.always = refuses(500, "no")
    with pytest.raises(EngineUnavailable):
        await house.serve(asked_for(1000, truncate_to_context=False))
    assert [path for path, _ in sent(house)] == ["/tokenize"]
    (replica,) = house.pools["solo"].replicas
    assert replica.faults["ENGINE_UNAVAILABLE"] == 1
