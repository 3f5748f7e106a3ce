"""One request to one engine, end to end over TCP, for each way in which it can go."""

import asyncio
import gc
import json
from pathlib import Path

import pytest
from tests.engines.asking import HELLO, Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import (
    OPENING,
    answer_of,
    answers,
    chunk,
    dies,
    progress,
    refuses,
    resets,
    says,
    sends,
    stalls,
    streams,
    token,
    usage_chunk,
    usage_of,
)
from tests.fakes.fake_engine import FakeEngine, FakeExchange
from tests.turns import turns

from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, InvalidRequest, Overloaded
from servery.core.usage import Usage
from servery.core.value import changed
from servery.engines.exchange import Exchange
from servery.engines.plain_frames import PlainFrame

RECORDED = Path(__file__).parents[1] / "web_dialects" / "openai" / "recorded"
WORDS = [f" word{number}" for number in range(40)]


def texts(asking: Asking) -> list[str]:
    deltas = [json.loads(event)["choices"][0]["delta"] for event in asking.events]
    return [delta["content"] for delta in deltas if delta.get("content")]


async def test_a_stream_arrives_with_its_usage(engine: FakeEngine, new_client: NewClient) -> None:
    """Every token goes to the sink, in order; the engine's usage to the tally."""
    engine.always = streams(WORDS, prompt=30, cached=20)
    asking = Asking(new_client())
    assert await asking.answer() == b""
    assert texts(asking) == WORDS
    assert asking.tally.usage() == Usage(30, 20, 40)
    assert asking.tally.frames == 40


async def test_an_event_like_an_earlier_one_is_not_read(engine: FakeEngine, new_client: NewClient) -> None:
    """Where it comes whole and its like was learned; it is a token all the same, and goes to the client at the turn's
    end. What comes before the first event, or is not like it, is read."""
    a, b = token("a"), chunk({"content": "b"}, finish=None, logprobs=[])
    engine.always = sends(OPENING, a, a, b, a, usage_chunk(usage_of(1, 4)))
    asking = Asking(new_client())
    head, tail = a.split(b'"a"')
    asking.frames.learn(PlainFrame(head + b'"', b'"' + tail, b"<", b">"))
    await asking.answer()
    await asyncio.sleep(0)
    assert b"".join(asking.client.writes).count(b'5\r\n<"a">\r\n') == 3
    assert texts(asking) == ["b"]
    assert asking.tally.frames == 4


async def test_the_short_way_is_shut_with_its_exchange(engine: FakeEngine, new_client: NewClient) -> None:
    """Nothing more reaches the client of a request that was given up, though its engine goes on."""
    goes_on = asyncio.Event()

    async def tells_on(exchange: FakeExchange) -> None:
        while not exchange.client_left.is_set():
            exchange.event(token("a"))
            goes_on.set()
            await asyncio.sleep(0.001)

    engine.always = sends(OPENING, token("a"), then=tells_on)
    asking = Asking(new_client())
    head, tail = token("a").split(b'"a"')
    asking.frames.learn(PlainFrame(head + b'"', b'"' + tail, b"<", b">"))
    exchange = asking.begin()
    await goes_on.wait()
    await turns()
    exchange.abort()
    await asyncio.sleep(0)
    written, frames = len(asking.client.writes), asking.tally.frames
    assert written > 0
    await asyncio.sleep(0.05)
    assert (len(asking.client.writes), asking.tally.frames) == (written, frames)


async def test_usage_and_progress_are_told_and_never_relayed(engine: FakeEngine, new_client: NewClient) -> None:
    """What is private to the engine stays behind: prompt progress, usage, and timings beside a finish."""
    finish = chunk({}, finish="stop", usage=usage_of(5, 1), timings={"cache_n": 0, "prompt_ms": 1.5})
    engine.always = sends(progress(5, cached=2), OPENING, token("a"), finish)
    asking = Asking(new_client())
    await asking.answer()
    assert asking.tally.usage() == Usage(5, 0, 1)
    relayed = [json.loads(event) for event in asking.events]
    assert [event["choices"][0]["finish_reason"] for event in relayed] == [None, None, "stop"]
    assert not {"usage", "timings", "prompt_progress"} & set().union(*relayed)
    assert relayed[-1]["id"] == "chatcmpl-engine"


async def test_the_prompt_is_known_before_the_first_token(engine: FakeEngine, new_client: NewClient) -> None:
    """Prompt progress tells prompt and cached tokens while the stream is still running."""
    engine.always = sends(progress(50, cached=40), OPENING, then=stalls)
    asking = Asking(new_client())
    exchange = asking.begin()
    await asking.wait_events(1)
    assert asking.tally.prompt == (50, 40)
    exchange.abort()


async def test_words_about_usage_are_no_usage(engine: FakeEngine, new_client: NewClient) -> None:
    """A model may write anything, also what usage frames look like; it is relayed as it is."""
    words = ['"usage":{"prompt_tokens":9}', '{"error":1}', '"prompt_progress":', '"role":']
    engine.always = streams(words, prompt=4)
    asking = Asking(new_client())
    await asking.answer()
    assert texts(asking) == words
    assert asking.tally.usage() == Usage(4, 0, 4)


async def test_null_events_and_pings_are_passed_over(engine: FakeEngine, new_client: NewClient) -> None:
    """As llama.cpp sends them before it has anything to say."""

    async def pings(exchange: FakeExchange) -> None:
        exchange.piece(b": ping\n\n")
        exchange.event(token("a"))
        exchange.event(usage_chunk(usage_of(3, 1)))
        exchange.end_stream()

    engine.always = sends(b"null", then=pings)
    asking = Asking(new_client())
    await asking.answer()
    assert texts(asking) == ["a"]


@pytest.mark.parametrize("piece", [b": ping\n\n", b"data: null\n\n", b"data: %b\n\n" % progress(12), b"x"])
async def test_what_is_no_token_makes_the_wait_for_the_first_no_longer(
    engine: FakeEngine, new_client: NewClient, piece: bytes
) -> None:
    """An engine that says again and again that it is there is stopped all the same; so is one whose whole answer comes
    in pieces and never ends."""

    async def goes_on(exchange: FakeExchange) -> None:
        exchange.start_stream()
        while not exchange.client_left.is_set():
            exchange.piece(piece)
            await asyncio.sleep(0.01)

    engine.always = goes_on
    client = new_client(first_byte_timeout_s=0.1, whole_timeout_s=0.1, chunk_timeout_s=3_600.0)
    for stream in (True, False):
        async with asyncio.timeout(60):
            assert isinstance(await Asking(client, stream=stream).error(), EngineTimeout)
            await engine.wait_connections(0)


@pytest.mark.parametrize("family", list(EngineFamily))
async def test_a_null_usage_on_each_chunk_is_no_usage(
    engine: FakeEngine, new_client: NewClient, family: EngineFamily
) -> None:
    """vLLM says ``"usage":null`` until it knows."""
    words = [chunk({"content": "a"}, usage=None), chunk({"content": "b"}, usage=None)]
    engine.always = sends(chunk({"role": "assistant", "content": ""}, usage=None), *words)
    asking = Asking(new_client(family))
    await asking.answer()
    assert asking.tally.usage() == Usage(7, 0, 2, estimated=True)


async def test_a_role_on_each_chunk_hides_no_tokens(engine: FakeEngine, new_client: NewClient) -> None:
    """Some engines repeat the role, or say null for it, in every chunk: tokens are counted all the same."""
    for role in (None, "assistant"):
        said = [chunk({"role": role, "content": word}) for word in ("a", "b", "c")]
        engine.always = sends(chunk({"role": "assistant", "content": ""}), *said)
        asking = Asking(new_client(EngineFamily.SGLANG))
        await asking.answer()
        assert asking.tally.frames == 3


@pytest.mark.parametrize("name", ["chat", "completion", "completion_null", "tools", "chat_logprobs"])
@pytest.mark.parametrize("piece_bytes", [1, 7, 4096])
async def test_recorded_streams_are_read_however_they_are_cut(
    engine: FakeEngine, new_client: NewClient, name: str, piece_bytes: int
) -> None:
    """What real engines sent, in pieces of any size: the same events, none with usage in it."""
    recorded = (RECORDED / f"{name}.sse").read_bytes()

    async def in_pieces(exchange: FakeExchange) -> None:
        exchange.start_stream()
        for start in range(0, len(recorded), piece_bytes):
            exchange.piece(recorded[start : start + piece_bytes])
        exchange.end_body()

    engine.always = in_pieces
    asking = Asking(new_client())
    await asking.answer()
    assert asking.events
    assert all(b'"timings"' not in event and b'"usage":{' not in event for event in asking.events)
    expected = [line for line in recorded.split(b"\n\n") if line.startswith(b'data: {"choices"')]
    assert len(asking.events) == len(expected)


async def test_a_whole_answer_arrives_with_its_usage(engine: FakeEngine, new_client: NewClient) -> None:
    """The body as it came; nothing goes to the sink."""
    engine.always = answers("I am", prompt=12, generated=2, cached=11)
    asking = Asking(new_client(), stream=False)
    assert json.loads(await asking.answer())["choices"][0]["message"]["content"] == "I am"
    assert asking.tally.usage() == Usage(12, 11, 2)
    assert asking.events == []


async def test_a_whole_answer_tells_how_long_the_prompt_took(engine: FakeEngine, new_client: NewClient) -> None:
    """Where the engine says so."""
    body = (RECORDED / "tools.json").read_bytes()

    async def recorded(exchange: FakeExchange) -> None:
        exchange.whole(200, body)

    engine.always = recorded
    asking = Asking(new_client(), stream=False)
    await asking.answer()
    assert asking.tally.prefill_s == pytest.approx(0.000751)


# Refusals


async def test_a_refusal_is_ours_for_streams_and_wholes(engine: FakeEngine, new_client: NewClient) -> None:
    """400 is the caller's, 503 says when to come back, 500 is the engine's."""
    for stream in (True, False):
        engine.scripts.extend(
            [refuses(400, "bad grammar"), refuses(503, "busy", ("Retry-After", "9")), refuses(500, "segfault")]
        )
        client = new_client()
        invalid = await Asking(client, stream=stream).error()
        assert isinstance(invalid, InvalidRequest)
        assert invalid.message == "bad grammar"
        busy = await Asking(client, stream=stream).error()
        assert isinstance(busy, Overloaded)
        assert busy.retry_after_s == 9
        assert isinstance(await Asking(client, stream=stream).error(), EngineUnavailable)


async def test_a_stream_that_is_none_is_refused(engine: FakeEngine, new_client: NewClient) -> None:
    """An engine that answers JSON to a stream is not understood; better elsewhere."""
    engine.always = answers()
    assert isinstance(await Asking(new_client()).error(), EngineUnavailable)


async def test_a_whole_that_is_no_json_is_refused(engine: FakeEngine, new_client: NewClient) -> None:
    """Nothing is passed on that a client could not read."""

    async def nonsense(exchange: FakeExchange) -> None:
        exchange.whole(200, b"<html>")

    engine.always = nonsense
    assert isinstance(await Asking(new_client(), stream=False).error(), EngineUnavailable)


async def test_more_than_is_taken_is_refused(engine: FakeEngine, new_client: NewClient) -> None:
    """A body grows to its limit and no further, and the connection is closed."""

    async def floods(exchange: FakeExchange) -> None:
        exchange.whole(200, b'"' + b"x" * 5_000 + b'"')

    engine.always = floods
    assert isinstance(await Asking(new_client(max_body_bytes=1_000), stream=False).error(), EngineUnavailable)
    await engine.wait_connections(0)


@pytest.mark.parametrize("logprobs", [False, True])
async def test_no_more_is_taken_than_the_tokens_may_need(
    engine: FakeEngine, new_client: NewClient, logprobs: bool
) -> None:
    """An engine that goes on and on fills no memory: the bound follows from ``max_tokens``, and from log probabilities,
    which take far more than their tokens."""
    said = b"x" * 2_000_000

    async def floods(exchange: FakeExchange) -> None:
        exchange.whole(200, answer_of(said.decode(), usage_of(12, 100)))

    engine.always = floods
    work = changed(HELLO, max_tokens=100, logprobs=logprobs, top_logprobs=20 if logprobs else 0)
    asking = Asking(new_client(), stream=False, work=work)
    if logprobs:
        assert said in await asking.answer()
    else:
        assert isinstance(await asking.error(), EngineUnavailable)
        await engine.wait_connections(0)


async def test_a_refusal_is_short(engine: FakeEngine, new_client: NewClient) -> None:
    """What an engine says with another status than 200 is a sentence, or it is not read."""
    engine.always = refuses(400, "x" * 2_000_000)
    assert isinstance(await Asking(new_client(), stream=False).error(), EngineUnavailable)
    await engine.wait_connections(0)


async def test_an_event_that_is_too_long_breaks_the_stream(engine: FakeEngine, new_client: NewClient) -> None:
    """Likewise an event."""

    async def endless(exchange: FakeExchange) -> None:
        exchange.start_stream()
        exchange.piece(b"data: " + b"x" * 5_000)
        await exchange.client_left.wait()

    engine.always = endless
    assert isinstance(await Asking(new_client(max_event_bytes=1_000)).error(), EngineBroke)
    await engine.wait_connections(0)


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-x\r\n", b"HTTP/1.1 2OO OK\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 200 OK\r\n\xff"]
)
async def test_garbage_is_refused(engine: FakeEngine, new_client: NewClient, garbage: bytes) -> None:
    """What is not HTTP is the engine's fault, and its connection is closed."""
    engine.always = says(garbage)
    assert isinstance(await Asking(new_client(first_byte_timeout_s=0.5)).error(), EngineUnavailable | EngineTimeout)
    await engine.wait_connections(0)


# Breaks


async def test_an_error_object_in_a_stream_breaks_it(engine: FakeEngine, new_client: NewClient) -> None:
    """What came before was relayed; the error's words are told, unless they speak of the engine's own trouble."""
    engine.always = sends(token("a"), b'{"error":{"code":500,"message":"stack trace"}}', then=stalls)
    assert "stack trace" not in (await Asking(new_client()).error()).message
    engine.always = sends(token("a"), b'{"error":{"message":"out of memory"}}', then=stalls)
    asking = Asking(new_client())
    error = await asking.error()
    assert isinstance(error, EngineBroke)
    assert error.message == "out of memory"
    assert texts(asking) == ["a"]


async def test_an_event_that_is_no_json_breaks_the_stream(engine: FakeEngine, new_client: NewClient) -> None:
    """Where it has to be opened."""
    engine.always = sends(token("a"), b'{"usage":{', then=stalls)
    assert isinstance(await Asking(new_client()).error(), EngineBroke)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("death", [dies, resets])
async def test_an_engine_that_dies_before_it_answers_is_unavailable(
    engine: FakeEngine, new_client: NewClient, stream: bool, death: object
) -> None:
    """On a new connection nothing is sent twice: whether elsewhere is better is not for the wire to say."""
    engine.always = dies if death is dies else resets
    assert isinstance(await Asking(new_client(), stream=stream).error(), EngineUnavailable)
    assert len(engine.asked) == 1


@pytest.mark.parametrize("death", [dies, resets])
async def test_an_engine_that_dies_in_a_stream_broke(engine: FakeEngine, new_client: NewClient, death: object) -> None:
    """The frames that came stay counted."""
    seen = asyncio.Event()

    async def then(exchange: FakeExchange) -> None:
        await seen.wait()
        await (dies if death is dies else resets)(exchange)

    engine.always = sends(progress(30, cached=8), OPENING, token("a"), token("b"), then=then)
    asking = Asking(new_client())
    exchange = asking.begin()
    await asking.wait_events(3)
    seen.set()
    with pytest.raises(EngineBroke):
        await exchange.answer
    assert asking.tally.usage() == Usage(30, 8, 2, estimated=True)


async def test_a_stream_that_ends_without_saying_so_broke(engine: FakeEngine, new_client: NewClient) -> None:
    """The body ended properly, but neither usage nor ``[DONE]`` came: it was cut somewhere."""

    async def ends(exchange: FakeExchange) -> None:
        exchange.end_body()

    engine.always = sends(token("a"), then=ends)
    assert isinstance(await Asking(new_client()).error(), EngineBroke)
    engine.always = sends(token("a"), usage_chunk(usage_of(1, 1)), then=ends)
    assert await Asking(new_client()).answer() == b""


async def test_usage_with_each_chunk_is_no_end(engine: FakeEngine, new_client: NewClient) -> None:
    """As vLLM sends it with ``--enable-force-include-usage``: a stream that is cut broke all the same, and is charged
    by the latest of it; nothing is known of what was cached. With its finish, all is told."""
    said = [
        chunk({"role": "assistant", "content": ""}, usage=usage_of(157, 0)),
        *(chunk({"content": word}, usage=usage_of(157, count)) for count, word in ((1, "a"), (4, "bcd"))),
    ]
    for usage in (None, usage_of(157, 4)):

        async def ends(exchange: FakeExchange, usage: dict[str, object] | None = usage) -> None:
            if usage is not None:
                exchange.event(chunk({}, finish="stop", usage=usage))
            exchange.end_body()

        engine.always = sends(*said, then=ends)
        asking = Asking(new_client(EngineFamily.VLLM))
        if usage is None:
            assert isinstance(await asking.error(), EngineBroke)
            assert asking.tally.usage() == Usage(157, 0, 4, estimated=True)
        else:
            await asking.answer()
            assert asking.tally.usage() == Usage(157, 0, 4)
        assert texts(asking) == ["a", "bcd"]
        assert all(b"usage" not in event for event in asking.events)
        assert asking.tally.frames == 4


async def test_a_whole_answer_that_is_cut_broke(engine: FakeEngine, new_client: NewClient) -> None:
    """Half a body is no answer."""

    async def half(exchange: FakeExchange) -> None:
        exchange.head(200, ("Content-Length", "100"))
        exchange.raw(b"{")
        exchange.close()

    engine.always = half
    assert isinstance(await Asking(new_client(), stream=False).error(), EngineBroke)


async def test_a_silent_engine_times_out(engine: FakeEngine, new_client: NewClient) -> None:
    """Before the head and within a stream; the engine is told by a closed connection."""
    engine.always = stalls
    assert isinstance(await Asking(new_client(first_byte_timeout_s=0.02)).error(), EngineTimeout)
    await engine.wait_connections(0)
    engine.always = sends(OPENING, token("a"), then=stalls)
    asking = Asking(new_client(first_byte_timeout_s=0.1, chunk_timeout_s=0.02))
    assert isinstance(await asking.error(), EngineBroke)
    assert texts(asking) == ["a"]
    await engine.wait_connections(0)


async def test_the_first_token_has_its_own_time(engine: FakeEngine, new_client: NewClient) -> None:
    """An engine that sends a stream's head at once and then computes a long prompt is not taken for a stuck one."""
    go_on = asyncio.Event()

    async def head_first(exchange: FakeExchange) -> None:
        exchange.start_stream()
        await go_on.wait()
        for event in (token("a"), usage_chunk(usage_of(1, 1))):
            exchange.event(event)
        exchange.end_stream()

    engine.always = head_first
    asking = Asking(new_client(EngineFamily.VLLM, first_byte_timeout_s=60.0, chunk_timeout_s=0.02))
    exchange = asking.begin()
    await asyncio.sleep(0.1)
    go_on.set()
    assert (await exchange.answer).body == b""


async def test_a_stream_that_stalls_after_its_start_does_not_get_the_first_tokens_time(
    engine: FakeEngine, new_client: NewClient
) -> None:
    """From the first token on, each has its own, shorter time."""
    engine.always = sends(OPENING, token("a"), then=stalls)
    async with asyncio.timeout(60):
        error = await Asking(new_client(first_byte_timeout_s=3_600.0, chunk_timeout_s=0.02)).error()
    assert isinstance(error, EngineBroke)


async def test_a_whole_answer_has_its_own_time(engine: FakeEngine, new_client: NewClient) -> None:
    """Not that of a stream's first token, nor that between tokens."""
    engine.always = stalls
    client = new_client(first_byte_timeout_s=3_600.0, chunk_timeout_s=3_600.0, whole_timeout_s=0.02)
    async with asyncio.timeout(60):
        assert isinstance(await Asking(client, stream=False).error(), EngineTimeout)


async def test_an_answer_without_usage_is_counted_by_its_length(engine: FakeEngine, new_client: NewClient) -> None:
    """And marked as estimated: it is not free."""

    async def untold(exchange: FakeExchange) -> None:
        exchange.whole(200, b'{"choices":[{"message":{"role":"assistant","content":"twelve bytes"}}]}')

    engine.always = untold
    asking = Asking(new_client(), stream=False)
    await asking.answer()
    assert asking.tally.usage() == Usage(7, 0, 3, 0, estimated=True)


async def test_a_body_may_end_with_its_connection(engine: FakeEngine, new_client: NewClient) -> None:
    """Where neither a length nor chunks were announced, that is how HTTP ends a body."""

    async def until_closed(exchange: FakeExchange) -> None:
        exchange.head(200, ("Content-Type", "application/json"))
        exchange.raw(b'{"usage":{"prompt_tokens":5,"completion_tokens":2}}')
        exchange.close()

    engine.always = until_closed
    asking = Asking(new_client(), stream=False)
    await asking.answer()
    assert asking.tally.usage() == Usage(5, 0, 2)


async def test_a_steady_engine_does_not_time_out(engine: FakeEngine, new_client: NewClient) -> None:
    """The time counts from the last that was heard, not from the start."""

    async def trickles(exchange: FakeExchange) -> None:
        for _ in range(5):
            await asyncio.sleep(0.5)
            exchange.event(token("a"))
        exchange.event(usage_chunk(usage_of(1, 5)))
        exchange.end_stream()

    engine.always = sends(OPENING, then=trickles)
    asking = Asking(new_client(first_byte_timeout_s=2.0, chunk_timeout_s=2.0))
    assert await asking.answer() == b""
    assert asking.tally.frames == 5


# Aborting


async def test_an_abort_closes_the_engines_connection(engine: FakeEngine, new_client: NewClient) -> None:
    """The engine learns of it, nothing more reaches the sink, and waiting for the answer is over."""
    engine.always = sends(OPENING, token("a"), then=stalls)
    asking = Asking(new_client())
    exchange = asking.begin()
    await asking.wait_events(2)
    exchange.abort()
    await (await engine.wait_asked(1)).client_left.wait()
    with pytest.raises(asyncio.CancelledError):
        await exchange.answer
    assert len(asking.events) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cancelled_wait_and_an_abort_stop_the_engine(
    engine: FakeEngine, new_client: NewClient, stream: bool
) -> None:
    """The way a client's leaving arrives: the task that awaits the answer is cancelled, then aborts."""
    engine.always = sends(OPENING, token("a"), then=stalls) if stream else stalls

    async def serve() -> None:
        exchange = Asking(new_client(), stream=stream).begin()
        try:
            await exchange.answer
        finally:
            exchange.abort()

    task = asyncio.create_task(serve())
    asked = await engine.wait_asked(1)
    await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(60):
        await asked.client_left.wait()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_failure_that_nobody_waits_for_any_more_is_no_fault(engine: FakeEngine, new_client: NewClient) -> None:
    """The engine fails, and in the same moment its client leaves: the event loop has nothing to complain of."""
    engine.always = dies
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    exchange = Asking(new_client()).begin()
    await asyncio.wait([exchange.answer])
    exchange.abort()
    del exchange
    gc.collect()
    await asyncio.sleep(0)
    assert faults == []


async def test_an_abort_after_the_end_changes_nothing(engine: FakeEngine, new_client: NewClient) -> None:
    """The connection is kept for the next request."""
    client = new_client(EngineFamily.VLLM)
    exchange = Asking(client).begin()
    await exchange.answer
    exchange.abort()
    exchange.abort()
    await Asking(client).answer()
    assert engine.connections_opened == 1


async def test_a_small_request_that_is_cancelled_leaves_no_connection(
    engine: FakeEngine, new_client: NewClient
) -> None:
    """Health checks that time out do not pile up at the engine."""

    async def hang(exchange: FakeExchange) -> None:
        await exchange.client_left.wait()

    engine.always = hang
    with pytest.raises(EngineUnavailable):
        await new_client().call("GET", "/metrics", timeout_s=0.02)
    async with asyncio.timeout(60):
        await engine.wait_connections(0)


# Slow clients


async def flood(engine: FakeEngine, new_client: NewClient) -> tuple[Exchange, Asking, FakeExchange]:
    """A stream that never stops by itself, up to its first events."""

    async def floods(exchange: FakeExchange) -> None:
        exchange.start_stream()
        while not exchange.client_left.is_set():
            exchange.event(token("x" * 1_000))
            await asyncio.sleep(0)

    engine.always = floods
    asking = Asking(new_client())
    exchange = asking.begin()
    await asking.wait_events(3)
    return exchange, asking, await engine.wait_asked(1)


async def test_a_paused_exchange_takes_nothing_more(engine: FakeEngine, new_client: NewClient) -> None:
    """Reading stops until it is resumed; then it goes on where it was."""
    exchange, asking, _ = await flood(engine, new_client)
    exchange.pause()
    seen = len(asking.events)
    await asyncio.sleep(0.05)
    assert len(asking.events) == seen
    exchange.resume()
    await asking.wait_events(seen + 100)
    exchange.abort()


async def test_a_paused_exchange_does_not_time_out(engine: FakeEngine, new_client: NewClient) -> None:
    """It is the client that is slow: its own limit is the listener's."""
    engine.always = streams(WORDS)
    asking = Asking(new_client(chunk_timeout_s=0.02, first_byte_timeout_s=0.02))
    exchange = asking.begin()
    exchange.pause()
    await asyncio.sleep(0.1)
    assert not exchange.answer.done()
    exchange.resume()
    await exchange.answer
    assert texts(asking) == WORDS


async def test_a_pause_at_the_end_does_not_reach_the_next_request(engine: FakeEngine, new_client: NewClient) -> None:
    """A client that is slow at its last event must not leave a kept connection that nobody reads from."""
    client = new_client(EngineFamily.VLLM)
    asking = Asking(client)
    exchange = asking.begin()
    paused_at = len(asking.events)
    asking.on_event = exchange.pause
    while not exchange.answer.done():
        await asyncio.sleep(0)
        if len(asking.events) > paused_at and not exchange.answer.done():
            await asyncio.sleep(0.01)
            exchange.resume()
    async with asyncio.timeout(60):
        await Asking(client).answer()


async def test_a_pause_at_the_end_leaves_no_connection(engine: FakeEngine, new_client: NewClient) -> None:
    """Nor one that is never closed: the answer is complete, only the end of its body is still to come."""

    async def lingers(exchange: FakeExchange) -> None:
        exchange.event(b"[DONE]")
        await exchange.client_left.wait()

    engine.always = sends(token("a"), usage_chunk(usage_of(1, 1)), then=lingers)
    asking = Asking(new_client(first_byte_timeout_s=0.1, chunk_timeout_s=0.05))
    exchange = asking.begin()
    await exchange.answer
    exchange.pause()
    async with asyncio.timeout(60):
        await engine.wait_connections(0)


async def test_a_fault_of_ours_is_not_blamed_on_the_engine(engine: FakeEngine, new_client: NewClient) -> None:
    """What a sink raises reaches whoever awaits the answer, as it is; the engine is stopped."""
    engine.always = sends(OPENING, token("a"), then=stalls)
    asking = Asking(new_client())
    exchange = asking.begin()

    def at_fault() -> None:
        raise AssertionError("ours")

    asking.on_event = at_fault
    with pytest.raises(AssertionError, match="ours"):
        await exchange.answer
    await engine.wait_connections(0)
