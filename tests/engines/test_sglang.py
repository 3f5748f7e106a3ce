"""What SGLang answers, against a transcript: no SGLang runs in any test.

Where each of its frames is from stands in ``tests/fakes/sglang_transcript.json``.
"""

import json

import pytest
from tests.engines.asking import HELLO, Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import refuses
from tests.fakes.fake_engine import FakeEngine, FakeExchange
from tests.fakes.fake_sglang import PROMPT_TOKENS, TRANSCRIPT, FakeSglang, frame

from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable, InvalidRequest, Overloaded, ServeryError
from servery.core.serving_path import Endpoint, ServingClass
from servery.core.usage import Usage
from servery.engines.cache_place import CachePlace
from servery.engines.client import EngineClient
from servery.engines.load import EngineLoad, read_load


@pytest.fixture
def sglang(engine: FakeEngine) -> FakeSglang:
    engine.always = sglang = FakeSglang()
    return sglang


@pytest.fixture
def client(new_client: NewClient) -> EngineClient:
    return new_client(EngineFamily.SGLANG)


async def load(client: EngineClient) -> EngineLoad | None:
    return read_load((await client.call("GET", "/metrics", timeout_s=60)).decode(), client.family, scraped_at_s=0.0)


def words(asking: Asking) -> list[str]:
    deltas = [json.loads(event)["choices"][0]["delta"] for event in asking.events]
    return [delta["content"] for delta in deltas if delta["content"]]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_with_its_usage(
    engine: FakeEngine, sglang: FakeSglang, client: EngineClient, stream: bool
) -> None:
    """In a stream it comes once, in a last frame without choices; until then it is null, which is no usage. What was
    cached is told by the token."""
    for cached in (0, PROMPT_TOKENS - 1):
        asking = Asking(client, stream=stream)
        whole = await asking.answer()
        assert asking.tally.usage() == Usage(PROMPT_TOKENS, cached, 2)
        if stream:
            assert words(asking) == ["I", " am"]
            assert asking.tally.frames == 2
        else:
            assert json.loads(whole)["choices"][0]["message"]["content"] == "I am"
    assert ("stream_options" in engine.asked[0].json) is stream


async def test_without_a_cache_report_nothing_counts_as_cached(engine: FakeEngine, client: EngineClient) -> None:
    """It says null unless it was started with ``--enable-cache-report``."""
    engine.always = FakeSglang(reports_cache=False)
    for _ in range(2):
        asking = Asking(client)
        await asking.answer()
        assert asking.tally.usage() == Usage(PROMPT_TOKENS, 0, 2)


@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_tokens_stand_at_the_top_of_usage(
    engine: FakeEngine, client: EngineClient, stream: bool
) -> None:
    """Others tell them among the details of the answer's tokens."""
    engine.always = FakeSglang(reasoning_tokens=1)
    asking = Asking(client, stream=stream)
    await asking.answer()
    assert asking.tally.usage() == Usage(PROMPT_TOKENS, 0, 2, 1)


def test_each_frame_of_the_transcript_says_where_it_is_from() -> None:
    """Observed, or declared in SGLang's source; none is from nowhere."""
    told = [entry["from"] for entry in (*TRANSCRIPT["frames"].values(), TRANSCRIPT["metrics"])]
    assert all(source.startswith(("observed", "source:")) for source in told)


async def test_owners_are_salted_and_priority_is_the_larger_number(
    engine: FakeEngine, sglang: FakeSglang, client: EngineClient
) -> None:
    """Another owner's prompt is not cached; a request of Priority goes before others, of which no number is told."""
    told = []
    for owner, serving_class in (("a", ServingClass.STANDARD), ("a", ServingClass.PRIORITY), ("b", ServingClass.BATCH)):
        asking = Asking(client)
        exchange = client.ask(
            HELLO,
            endpoint=Endpoint.CHAT,
            stream=True,
            place=CachePlace(salt=owner),
            sink=asking,
            tally=asking.tally,
            serving_class=serving_class,
        )
        await exchange.answer
        told.append(asking.tally.usage().cached_prompt_tokens)
    assert told == [0, PROMPT_TOKENS - 1, 0]
    assert [asked.json.get("priority") for asked in engine.asked] == [None, 1, -1]


async def test_a_full_queue_is_overload(engine: FakeEngine, client: EngineClient) -> None:
    """The request may be served elsewhere, or later; the one that runs is not disturbed."""
    engine.always = sglang = FakeSglang(places=1)
    sglang.go_on.clear()
    first = Asking(client)
    running = first.begin()
    await first.wait_events(2)
    for stream in (True, False):
        assert isinstance(await Asking(client, stream=stream).error(), Overloaded)
    sglang.go_on.set()
    await running.answer
    assert words(first) == ["I", " am"]


async def test_an_abort_is_a_closed_connection(engine: FakeEngine, sglang: FakeSglang, client: EngineClient) -> None:
    """The engine stops, and frees the request's place."""
    sglang.go_on.clear()
    asking = Asking(client)
    exchange = asking.begin()
    await asking.wait_events(2)
    exchange.abort()
    await (await engine.wait_asked(1)).client_left.wait()
    told = await load(client)
    assert told is not None
    assert (sglang.aborted, told.running) == (1, 0)


async def test_its_load_is_counted_once(sglang: FakeSglang, client: EngineClient) -> None:
    """Though with priorities it tells each gauge in all and again for each priority."""
    for _ in range(2):
        await Asking(client).answer()
    sglang.go_on.clear()
    asking = Asking(client)
    exchange = asking.begin()
    await asking.wait_events(2)
    told = await load(client)
    assert told is not None
    assert (told.running, told.waiting, told.kv_usage) == (1, 0, 0.25)
    assert (told.prefix_cache_hits, told.prefix_cache_queries) == (2 * (PROMPT_TOKENS - 1), 3 * PROMPT_TOKENS)
    exchange.abort()


async def test_its_refusals(engine: FakeEngine, client: EngineClient) -> None:
    """Errors stand at the top of their body; the engine's own trouble is not told."""

    async def wrong(exchange: FakeExchange) -> None:
        exchange.whole(400, json.dumps(frame("invalid")).encode())

    async def refusal() -> ServeryError:
        error = await Asking(client, stream=False).error()
        assert isinstance(error, ServeryError)
        return error

    engine.scripts.extend([wrong, refuses(500, "Traceback")])
    invalid, broken = await refusal(), await refusal()
    assert isinstance(invalid, InvalidRequest)
    assert invalid.message == "Invalid grammar"
    assert isinstance(broken, EngineUnavailable)
    assert "Traceback" not in broken.message
