"""How long an engine is waited for that says something, though nothing of its answer: in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.engines.asking import Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import OPENING, chunk, progress, sends, token
from tests.fakes.fake_engine import FakeEngine, FakeExchange

from servery.core.clock import ManualClock
from servery.core.errors import EngineBroke, EngineTimeout, ServeryError
from servery.core.write_turn import WriteTurn
from servery.engines.answer_reader import EventSink
from servery.engines.asker import NOBODY
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.connections import Connections
from servery.engines.exchange import Exchange, Expectation
from servery.engines.exchange_limits import ExchangeLimits
from servery.engines.response_head import ResponseHead
from servery.engines.tally import Tally

LIMITS = ExchangeLimits(first_byte_timeout_s=120.0, chunk_timeout_s=60.0, whole_timeout_s=600.0)
PING = b": ping\n\n"
MESSAGE_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_START = b'data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
BLOCK_STOP = b'data: {"type":"content_block_stop","index":0}\n\n'
MESSAGE_TOKEN = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}\n\n'


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


class SetLoop(asyncio.AbstractEventLoop):
    """An event loop whose clock is set by hand; all else is the running one's."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self._running = asyncio.get_running_loop()
        self.create_future = self._running.create_future  # type: ignore[method-assign]
        self.create_task = self._running.create_task  # type: ignore[method-assign,assignment]

    def time(self) -> float:
        return self.now_s


def over(loop: SetLoop, engine: FakeEngine) -> Connections:
    """Connections on which nothing ever comes: what does is told by the test."""
    turn, running = WriteTurn(), asyncio.get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        assert turn.loop is loop
    finally:
        asyncio._set_running_loop(running)
    return Connections(engine.address(), ConnectionLimits(), ManualClock(), turn)


class Listening:
    """One exchange, told what its engine sends; its timer fires whenever it may, as the real one does at the latest."""

    def __init__(
        self, engine: FakeEngine, sink: EventSink, expected: Expectation, limits: ExchangeLimits = LIMITS
    ) -> None:
        self.loop = SetLoop()
        self.tally = Tally(prompt_tokens_guess=7)
        self.exchange = Exchange(
            b"",
            wire=over(self.loop, engine),
            last=True,
            expected=expected,
            sink=sink,
            asker=NOBODY,
            tally=self.tally,
            limits=limits,
        )
        self.exchange.start()
        self.exchange.on_head(
            ResponseHead(200, {}, length=None, is_chunked=False, keeps_alive=False, tells_events=True)
        )

    def hears(self, piece: bytes, *, every_s: float, times: int) -> None:
        """So often, or until it is over."""
        for _ in range(times):
            self.passes(every_s)
            self.exchange.on_body(piece)

    def passes(self, seconds: float) -> None:
        self.loop.now_s += seconds
        if not self.exchange.answer.done():
            self.exchange.on_time()

    @property
    def is_over(self) -> bool:
        return self.exchange.answer.done()

    def error(self) -> ServeryError:
        error = self.exchange.answer.exception()
        assert isinstance(error, ServeryError)
        return error


Listens = Callable[..., Listening]


@pytest.fixture
async def listens(engine: FakeEngine, new_client: NewClient) -> AsyncIterator[Listens]:
    """Begins exchanges, of OpenAI's streams unless told otherwise."""
    begun: list[Listening] = []

    def begin(expected: Expectation = Expectation.STREAM, limits: ExchangeLimits = LIMITS) -> Listening:
        begun.append(Listening(engine, Asking(new_client()), expected, limits))
        return begun[-1]

    yield begin
    for one in begun:
        one.exchange.abort()


@pytest.mark.parametrize(
    ("first", "sign"),
    [
        (token("a"), PING),
        (token("a"), event(b"null")),
        (token("a"), event(OPENING)),
        (token("a"), event(b'{"choices":[]}')),
        (token("a"), event(progress(12))),
        (token("a"), event(chunk({}, finish="stop"))),
        (OPENING, PING),
    ],
)
async def test_signs_of_life_hold_a_stream_open_for_as_long_as_a_whole_answer_may_take(
    listens: Listens, first: bytes, sign: bytes
) -> None:
    """Counted from its last token; then it has broken, whatever else its engine may still say."""
    one = listens()
    one.hears(event(first), every_s=1.0, times=1)
    one.hears(sign, every_s=10.0, times=59)
    assert not one.is_over
    one.hears(sign, every_s=10.0, times=2)
    assert isinstance(one.error(), EngineBroke)
    assert "600 seconds" in str(one.error())


@pytest.mark.parametrize("sign", [MESSAGE_PING, PING, BLOCK_STOP])
async def test_signs_of_life_hold_a_message_open_no_longer(listens: Listens, sign: bytes) -> None:
    """In Anthropic's form it is the same."""
    one = listens(Expectation.MESSAGE_STREAM)
    for piece in (MESSAGE_START, MESSAGE_TOKEN):
        one.hears(piece, every_s=1.0, times=1)
    one.hears(sign, every_s=10.0, times=59)
    assert not one.is_over
    one.hears(sign, every_s=10.0, times=7)
    assert isinstance(one.error(), EngineBroke)


async def test_each_token_gives_a_stream_its_whole_time_again(listens: Listens) -> None:
    """However slow they come, as long as the engine says in between that it is there."""
    one = listens()
    for _ in range(20):
        one.hears(event(token("a")), every_s=50.0, times=1)
        one.hears(PING, every_s=50.0, times=10)
    assert not one.is_over
    assert one.tally.frames == 20


async def test_silence_breaks_a_stream_sooner_than_signs_of_life(listens: Listens) -> None:
    """Each pause has its own time, also between pings."""
    one = listens()
    one.hears(event(token("a")), every_s=1.0, times=1)
    one.hears(PING, every_s=59.0, times=3)
    assert not one.is_over
    one.passes(61.0)
    assert "silent for 60 seconds" in str(one.error())


async def test_a_pause_may_be_longer_than_a_whole_answer(listens: Listens) -> None:
    """Where the settings say so, it is the pause that counts."""
    one = listens(limits=ExchangeLimits(first_byte_timeout_s=1.0, chunk_timeout_s=900.0, whole_timeout_s=60.0))
    one.exchange.on_body(event(token("a")))
    one.passes(899.0)
    assert not one.is_over
    one.passes(2.0)
    assert isinstance(one.error(), EngineBroke)


async def test_a_client_that_is_slow_makes_no_engine_fall_silent(listens: Listens) -> None:
    """While it takes nothing, nothing is read; from then on the time counts anew."""
    one = listens()
    one.exchange.on_body(event(token("a")))
    one.exchange.pause()
    for _ in range(30):
        one.passes(59.0)
    one.exchange.resume()
    one.hears(PING, every_s=50.0, times=11)
    assert not one.is_over


async def test_a_prompt_of_which_more_and_more_is_computed_is_waited_for(listens: Listens) -> None:
    """The time for a first token counts from the last news that there was some progress."""
    one = listens()
    for computed in range(100, 600, 100):
        one.hears(event(progress(1_000, computed=computed)), every_s=110.0, times=1)
        assert not one.is_over
    one.hears(event(token("a")), every_s=1.0, times=1)
    assert one.tally.frames == 1


async def test_a_prompt_that_gets_no_further_is_given_up(listens: Listens) -> None:
    """To say again how far it is, and pings between, make the wait no longer."""
    one = listens()
    one.hears(event(progress(1_000, computed=100)), every_s=60.0, times=1)
    one.hears(PING, every_s=10.0, times=5)
    one.hears(event(progress(1_000, computed=100)), every_s=10.0, times=6)
    assert not one.is_over
    one.hears(PING, every_s=10.0, times=1)
    assert isinstance(one.error(), EngineTimeout)


async def test_a_prompt_may_take_as_long_as_a_whole_answer(listens: Listens) -> None:
    """And no longer, however much more of it is computed."""
    one = listens()
    for computed in range(1, 60):
        one.hears(event(progress(1_000_000, computed=computed)), every_s=10.0, times=1)
    assert not one.is_over
    one.hears(event(progress(1_000_000, computed=1_000)), every_s=10.0, times=1)
    assert isinstance(one.error(), EngineTimeout)
    assert "600 seconds" in str(one.error())


async def test_the_timer_finds_out_by_itself(engine: FakeEngine, new_client: NewClient) -> None:
    """Over a real connection: an engine that pings for ever, before its first token with progress and after it, is left
    alone in the end."""

    async def pings(exchange: FakeExchange) -> None:
        while not exchange.client_left.is_set():
            exchange.piece(PING)
            await asyncio.sleep(0.01)

    async def tells_more(exchange: FakeExchange) -> None:
        computed = 0
        exchange.start_stream()
        while not exchange.client_left.is_set():
            computed += 1
            exchange.event(progress(1_000_000, computed=computed))
            await asyncio.sleep(0.01)

    client = new_client(first_byte_timeout_s=0.2, whole_timeout_s=0.4, chunk_timeout_s=0.2)
    for script, broken in ((sends(OPENING, token("a"), then=pings), EngineBroke), (tells_more, EngineTimeout)):
        engine.always = script
        async with asyncio.timeout(60):
            assert isinstance(await Asking(client).error(), broken)
            await engine.wait_connections(0)
