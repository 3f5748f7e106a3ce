"""Whatever an engine sends, a request to it ends: with an answer, or with a clean error and its connection closed."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engines.asking import HELLO, Asking
from tests.engines.test_message_reader import RECORDED as MESSAGES_RECORDED
from tests.engines.test_message_reader import WORK
from tests.fakes.engine_scripts import OPENING, answer_of, progress, token, usage_chunk, usage_of
from tests.fakes.fake_engine import FakeEngine, FakeExchange

from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, ServeryError
from servery.core.inference import Generation
from servery.core.serving_path import Endpoint
from servery.core.value import changed
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits

EVENT_BYTES_MAX = 4_096
LIMITS = ExchangeLimits(
    first_byte_timeout_s=0.1,
    chunk_timeout_s=0.1,
    whole_timeout_s=0.1,
    max_event_bytes=EVENT_BYTES_MAX,
    max_body_bytes=4 * EVENT_BYTES_MAX,
)
HANGS_AFTER_S = 60.0
"""Far beyond any of the limits, also on a machine that is busy with something else."""
PATIENT = changed(LIMITS, first_byte_timeout_s=20.0, chunk_timeout_s=20.0, whole_timeout_s=20.0)
FAULTS = (EngineUnavailable, EngineBroke, EngineTimeout)


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def counted(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


EVENTS = (progress(12, cached=4), OPENING, token("I"), token(" am"), usage_chunk(usage_of(12, 2, cached=4)), b"[DONE]")
STREAM = chunked(*(b"data: %b\n\n" % event for event in EVENTS))
MESSAGE_STREAM = chunked(*(MESSAGES_RECORDED / "vllm.sse").read_bytes().splitlines(keepends=True))
WHOLE = counted(answer_of("I am", usage_of(12, 2)))
WHOLE_MESSAGE = counted((MESSAGES_RECORDED / "vllm.json").read_bytes())

BAD_PIECES = st.sampled_from(
    [
        *(b"", b"\x00", b"\xff\xfe", b"\r\n\r\n", b"\n\n", b"0\r\n\r\n", b"fffffffff\r\n", b"-1\r\n"),
        *(
            b"data: {\n\n",
            b"data: null\n\n",
            b'data: {"error":{"code":503}}\n\n',
            b'data: {"usage":{"prompt_tokens":-1}}\n\n',
        ),
        *(
            b'data: {"type":"error"}\n\n',
            b'data: {"usage":{"x":' + b"[" * 3_000 + b"\n\n",
            b"data: " + b"[" * 3_000 + b"\n\n",
        ),
        *(b"data: " + b"x" * 2 * EVENT_BYTES_MAX, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        *(b"Content-Length: 7\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: gzip\r\n", b"X: " + b"y" * 70_000),
    ]
)
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 40), BAD_PIECES | st.binary(max_size=20))
"""Where, how many bytes to leave out there, and what to put instead."""


class Engine:
    """Sends what it is told, in pieces; and then closes or says no more. One for all examples: starting it is slow."""

    def __init__(self) -> None:
        self.fake = FakeEngine(self._answer)
        self.sends: list[bytes] = []
        self.closes = False

    async def _answer(self, exchange: FakeExchange) -> None:
        for piece in self.sends:
            exchange.raw(piece)
            await asyncio.sleep(0)
        if self.closes:
            exchange.close()
        else:
            await exchange.client_left.wait()


def edited(response: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for where, gone, put in edits:
        at = round(where * len(response))
        response = response[:at] + put + response[at + gone :]
    return response


def in_pieces(response: bytes, cuts: list[float]) -> list[bytes]:
    places = sorted({0, len(response), *(round(cut * len(response)) for cut in cuts)})
    return [response[begin:end] for begin, end in pairwise(places)]


async def outcome(
    engine: Engine, family: EngineFamily, work: Generation, *, stream: bool, limits: ExchangeLimits = LIMITS
) -> ServeryError | None:
    """How one request ended; None is well. It ends in time, and leaves nothing open."""
    client = EngineClient(
        engine.fake.address(family),
        connection_limits=ConnectionLimits(),
        exchange_limits=limits,
        clock=ManualClock(),
    )
    asking = Asking(client, stream=stream, work=work)
    try:
        async with asyncio.timeout(HANGS_AFTER_S):
            exchange = asking.begin()
            await exchange.answer
            return None
    except ServeryError as error:
        return error
    finally:
        usage = asking.tally.usage()
        assert usage.estimated or asking.tally.is_reported
        client.close()
        exchange.abort()
        async with asyncio.timeout(HANGS_AFTER_S):
            await engine.fake.wait_connections(0)


EACH_KIND = pytest.mark.parametrize(
    ("family", "work", "stream", "response"),
    [
        (EngineFamily.LLAMA_CPP, HELLO, True, STREAM),
        (EngineFamily.VLLM, HELLO, False, WHOLE),
        (EngineFamily.VLLM, WORK, True, MESSAGE_STREAM),
        (EngineFamily.VLLM, WORK, False, WHOLE_MESSAGE),
    ],
    ids=["stream", "whole", "message stream", "whole message"],
)


@EACH_KIND
def test_an_edited_response_ends_cleanly(family: EngineFamily, work: Generation, stream: bool, response: bytes) -> None:
    """Bytes left out, put in or changed anywhere, the response cut anywhere and in any pieces, the connection closed or
    silent after it: an answer, or the engine's fault; never a hang, never an error of another kind but a refusal that
    the engine's own status asks for."""
    with asyncio.Runner() as runner:

        @settings(max_examples=40, deadline=None)
        @given(
            st.lists(EDIT, max_size=3),
            st.floats(0, 1) | st.just(1.0),
            st.lists(st.floats(0, 1), max_size=6),
            st.booleans(),
        )
        def examined(edits: list[tuple[float, int, bytes]], kept: float, cuts: list[float], closes: bool) -> None:
            bad = edited(response, edits)
            engine.sends, engine.closes = in_pieces(bad[: round(kept * len(bad))], cuts), closes
            error = runner.run(outcome(engine, family, work, stream=stream))
            assert error is None or error.status in {400, 413, 503} or isinstance(error, FAULTS)

        engine = Engine()
        runner.run(engine.fake.start())
        try:
            examined()
        finally:
            runner.run(engine.fake.stop())


@EACH_KIND
async def test_the_response_itself_is_an_answer(
    family: EngineFamily, work: Generation, stream: bool, response: bytes
) -> None:
    """What the edits start from is well."""
    engine = Engine()
    engine.sends = [response]
    async with engine.fake:
        assert await outcome(engine, family, work, stream=stream, limits=PATIENT) is None


@pytest.mark.parametrize("told", [b"<html>", b"{}", b'{"count":"x"}', b"[" * 3_000, b'{"count":"\xff"}'])
async def test_a_count_that_is_none_is_refused(told: bytes) -> None:
    """What is asked beside inference is read as carefully."""
    engine = Engine()
    engine.sends = [counted(told)]
    async with engine.fake:
        client = EngineClient(
            engine.fake.address(EngineFamily.VLLM),
            connection_limits=ConnectionLimits(),
            exchange_limits=PATIENT,
            clock=ManualClock(),
        )
        with pytest.raises(EngineUnavailable):
            await client.count_prompt(HELLO, endpoint=Endpoint.CHAT, timeout_s=60)
        client.close()
