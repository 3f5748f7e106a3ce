"""What SGLang answers, against a transcript: no SGLang runs in any test.

The usage, that it is null without its option, and the refusal of a full queue are as SGLang 0.5.23 sent them. The rest
of the frames is written by hand: OpenAI's form with the fields that SGLang adds.
"""

import json

from tests.engines.asking import Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import refuses, sends
from tests.fakes.fake_engine import FakeEngine

from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable, InvalidRequest, Overloaded
from servery.core.usage import Usage


def frame(choices: str, usage: str = "null") -> bytes:
    return (
        '{"id":"b7a","object":"chat.completion.chunk","created":1795202611,"model":"operators-name",'
        f'"choices":[{choices}],"usage":{usage}}}'
    ).encode()


def choice(delta: str, finish: str = "null") -> str:
    return f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish},"matched_stop":null}}'


ROLE = frame(choice('{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null}'))
WORDS = [frame(choice(f'{{"role":null,"content":"{word}","reasoning_content":null}}')) for word in ("I", " am")]
END = frame(choice('{"role":null,"content":null}', '"stop"'))
CACHED = (
    '{"prompt_tokens":21,"total_tokens":23,"completion_tokens":2,'
    '"prompt_tokens_details":{"cached_tokens":16},"reasoning_tokens":0}'
)
NOT_REPORTED = '{"prompt_tokens":21,"total_tokens":23,"completion_tokens":2,"prompt_tokens_details":null}'


async def test_a_stream_with_its_usage(engine: FakeEngine, new_client: NewClient) -> None:
    """Usage comes once, in a last frame without choices; until then it is null, which is no usage."""
    engine.always = sends(ROLE, *WORDS, END, frame("", CACHED))
    asking = Asking(new_client(EngineFamily.SGLANG))
    await asking.answer()
    assert asking.events == [ROLE, *WORDS, END]
    assert asking.tally.usage() == Usage(21, 16, 2)
    assert engine.asked[0].json["stream_options"] == {"include_usage": True}


async def test_without_a_cache_report_nothing_counts_as_cached(engine: FakeEngine, new_client: NewClient) -> None:
    """It says null unless it was started with ``--enable-cache-report``."""
    engine.always = sends(ROLE, *WORDS, END, frame("", NOT_REPORTED))
    asking = Asking(new_client(EngineFamily.SGLANG))
    await asking.answer()
    assert asking.tally.usage() == Usage(21, 0, 2)


async def test_its_refusals(engine: FakeEngine, new_client: NewClient) -> None:
    """Errors stand at the top of their body, with a status that is a text."""

    async def refusal(status: int, body: dict[str, object]) -> object:
        async def script(exchange: object) -> None:
            exchange.whole(status, json.dumps(body).encode())  # type: ignore[attr-defined]

        engine.always = script
        return await Asking(new_client(EngineFamily.SGLANG), stream=False).error()

    full = await refusal(503, {"object": "error", "message": "The request queue is full.", "type": "503"})
    assert isinstance(full, Overloaded)
    wrong = await refusal(400, {"object": "error", "message": "Invalid grammar", "type": "BadRequest", "code": 400})
    assert isinstance(wrong, InvalidRequest)
    assert wrong.message == "Invalid grammar"
    engine.always = refuses(500, "Traceback")
    broken = await Asking(new_client(EngineFamily.SGLANG), stream=False).error()
    assert isinstance(broken, EngineUnavailable)
    assert "Traceback" not in broken.message
