"""From a socket to an engine and back: authentication, dialects, streams, refusals, the last door.

What each dialect says in detail is tested where it is written; here is what the entrance adds.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.fakes.engine_scripts import answers, dies, progress, refuses, sends, serves, stalls, token
from tests.fakes.fake_engine import FakeEngine, FakeExchange
from tests.serving.house import CHAT, PLAIN, House
from tests.turns import turns
from tests.web_server.raw_client import RawClient
from tests.web_server.server import LIMITS

from servery.control.open_account import create_key
from servery.core.caller import Caller
from servery.core.clock import ManualClock
from servery.core.errors import LONGEST_MESSAGE, InternalError, ShuttingDown
from servery.core.serving_path import Outcome, ServingPath
from servery.core.value import changed
from servery.metering.refused_requests import RefusedRequests
from servery.store.database import Database
from servery.telemetry.metrics import Metrics
from servery.tenancy.key_ring import KeyRing
from servery.web.fallback import exception_handlers, refusal_body
from servery.web.presenter import ParsedCall, Presenter
from servery.web.routes import inference_routes
from servery.web.server.asgi_bridge import AsgiBridge
from servery.web.server.entrance import Entrance
from servery.web.server.inference_route import InferenceRoute
from servery.web.server.listener import Listener

MESSAGES = [{"role": "user", "content": "Who are you?"}]


async def waits(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def fails(request: Request) -> Response:
    raise RuntimeError("secret details")


class Faulty:
    """A presenter that fails as soon as a stream is admitted."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._presenter, name)

    def admitted(self, path: ServingPath) -> None:
        raise RuntimeError("secret details")


def faulty(route: InferenceRoute) -> InferenceRoute:
    def parse(body: bytes, headers: Mapping[str, str], request_id: str, caller: Caller) -> ParsedCall:
        call = route.parse(body, headers, request_id, caller)
        return changed(call, presenter=Faulty(call.presenter))

    return changed(route, parse=parse)


class Door:
    """A house with a listener before it, and a key to it."""

    def __init__(self, house: House, secret: str, key_ring: KeyRing) -> None:
        self.house = house
        self.secret = secret
        self.metrics = Metrics()
        self.refused = RefusedRequests()
        self.entrance = Entrance(
            refused=self.refused,
            clock=ManualClock(),
            max_body_bytes=100_000,
            routes={**inference_routes(), "/v1/faulty": faulty(inference_routes()["/v1/chat/completions"])},
            pipeline=house.pipeline,
            counting=house.counting,
            key_ring=key_ring,
            bridge=AsgiBridge(
                Starlette(
                    routes=[Route("/{plane:path}/fails", fails), Route("/{plane:path}/waits", waits)],
                    exception_handlers=exception_handlers(),
                )
            ),
            bridged_refusal=refusal_body,
            metrics=self.metrics,
            logger=logging.getLogger("test.entrance"),
        )
        self.listener = Listener(self.entrance.handle, LIMITS)
        self.client: RawClient

    async def open(self) -> None:
        self.client = await RawClient.connect(await self.listener.start("127.0.0.1", 0))

    async def close(self) -> None:
        self.client.abort()
        await self.listener.drain(timeout_s=1)

    def ask(self, path: str = "/v1/chat/completions", *, secret: str | None = None, **body: object) -> None:
        asked = json.dumps({"model": CHAT, "messages": MESSAGES, **body}).encode()
        self.client.post(asked, path, f"Authorization: Bearer {secret or self.secret}")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        FakeEngine(serves()) as first,
        FakeEngine(serves()) as second,
        Database.open(tmp_path / "servery.db") as database,
    ):
        house = House(database, first, second)
        await house.open()
        key = await create_key(database, house.clock, "acme", open_if_new=True)
        door = Door(house, key.key, KeyRing(database, house.clock))
        await door.open()
        yield door
        await door.close()
        await house.check()
        await house.close()


def events(body: bytes) -> list[str]:
    return [event.removeprefix("data: ") for event in body.decode().split("\n\n") if event]


async def test_a_stream_goes_through_and_tells_its_limits(door: Door) -> None:
    """Headers of the request, its limits and its prompt; then chunks, usage, ``[DONE]``."""
    door.ask(stream=True)
    response = await door.client.response()
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-request-id"].startswith("chatcmpl-")
    assert response.headers["fireworks-prompt-tokens"] == "12"
    assert int(response.headers["x-ratelimit-limit-tokens-generated"]) > 0
    *chunks, last, done = events(response.body)
    assert done == "[DONE]"
    assert json.loads(last)["usage"]["completion_tokens"] == 2
    assert "".join(json.loads(chunk)["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "I am"


async def test_a_whole_answer_is_what_was_charged(door: Door) -> None:
    """The usage in the body, in the headers and in the books."""
    door.house.first.always = door.house.second.always = answers("I am", prompt=20, generated=2, cached=8)
    door.ask()
    response = await door.client.response()
    assert response.json["usage"]["prompt_tokens"] == 20
    assert response.json["usage"]["prompt_tokens_details"]["cached_tokens"] == 8
    assert response.headers["fireworks-cached-prompt-tokens"] == "8"
    (record,) = door.house.ended.records
    assert (record.account, record.usage.prompt_tokens) == ("acme", 20)
    assert record.request_id == response.json["id"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_without_a_good_key_nothing_is_served(door: Door, path: str) -> None:
    """In the dialect of the path, before the body is looked at; no engine hears of it."""
    door.client.post(b"{", path)
    response = await door.client.response()
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["x-should-retry"] == "false"
    door.ask(path, secret="fw_wrong")
    assert (await door.client.response()).status == 401
    assert door.house.first.asked == door.house.second.asked == []


async def test_a_key_may_be_given_in_anthropics_way(door: Door) -> None:
    """``x-api-key``."""
    body = json.dumps({"model": CHAT, "max_tokens": 9, "messages": MESSAGES}).encode()
    door.client.post(body, "/inference/v1/messages", f"X-Api-Key: {door.secret}")
    response = await door.client.response()
    assert response.status == 200
    assert response.json["content"][0]["text"] == "I am"


async def test_other_methods_are_refused(door: Door) -> None:
    """With 405 and the method that is taken, and the connection goes on."""
    door.client.get("/v1/chat/completions")
    refusal = await door.client.response()
    assert (refusal.status, refusal.headers["allow"]) == (405, "POST")
    door.ask()
    assert (await door.client.response()).status == 200


async def test_a_refusal_names_its_request(door: Door) -> None:
    """So that an operator finds it; and says whether a retry helps, and when."""
    door.house.first.always = door.house.second.always = refuses(503, "busy", ("Retry-After", "7"))
    door.ask()
    response = await door.client.response()
    assert response.status == 503
    assert response.headers["x-request-id"].startswith("chatcmpl-")
    assert response.headers["x-should-retry"] == "true"
    assert int(response.headers["retry-after"]) >= 1
    assert 'servery_refusals_total{code="SERVER_OVERLOADED",status="503"} 1.0' in door.metrics.render().decode()


LONG = "x" * 9_000
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": LONG}}},
        {"logit_bias": {LONG: 1}},
        {"reasoning_effort": LONG},
        {"messages": [{"role": LONG, "content": "a"}]},
        {"response_format": {"type": LONG}},
        {"model": LONG},
        {LONG: 1, "messages": 7},
    ],
)
async def test_a_refusal_quotes_little(door: Door, body: dict[str, object]) -> None:
    """It is kept for as long as ten thousand others are: what a client puts into it must not fill the memory."""
    door.ask(**body)
    response = await door.client.response()
    assert response.status in {400, 404}
    assert len(response.body) < 2_500
    kept = door.refused.find("acme", response.headers["x-request-id"])
    assert kept is not None
    assert len(kept.message) <= LONGEST_MESSAGE


async def test_a_stream_that_breaks_ends_with_an_error_frame(door: Door) -> None:
    """Not with a usage that was never reported, nor with ``[DONE]``; the response ends as it should."""
    door.house.first.always = door.house.second.always = sends(progress(12), token("a"), then=dies)
    door.ask(stream=True)
    response = await door.client.response()
    assert response.status == 200
    assert any('"error"' in event for event in events(response.body))
    assert not any('"usage":{' in event for event in events(response.body))
    door.house.first.always = door.house.second.always = serves()
    door.ask()
    assert (await door.client.response()).status == 200


async def test_a_client_that_leaves_stops_the_engine(door: Door) -> None:
    """Its socket closes, the engine's connection closes."""
    door.house.first.always = door.house.second.always = sends(progress(12), token("a"), then=stalls)
    door.ask(stream=True)
    while not (asked := door.house.first.asked + door.house.second.asked):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    door.client.abort()
    async with asyncio.timeout(60):
        await asked[0].client_left.wait()


async def test_an_answer_that_nobody_can_read_costs_nothing(door: Door) -> None:
    """JSON that is no answer is the engine's failure, told before anything is charged."""

    async def no_answer(exchange: object) -> None:
        exchange.whole(200, b'{"choices":7,"usage":{"prompt_tokens":12,"completion_tokens":2}}')  # type: ignore[attr-defined]

    door.house.first.always = door.house.second.always = no_answer
    door.ask()
    assert (await door.client.response()).status == 502
    await asyncio.sleep(0.01)
    assert door.house.ended.records == []


async def test_a_fault_of_ours_leaves_an_answer_and_a_trace(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """500 without details, on both sides of the house; the connection goes on."""
    for path in ("/v1/accounts/fails", "/v1/models/fails"):
        door.client.get(path)
        response = await door.client.response()
        assert response.status == 500
        request_id = response.headers["request-id"]
        assert response.body == refusal_body(path, InternalError("internal error"), request_id)
    door.ask("/v1/faulty", stream=True)
    response = await door.client.response()
    assert response.status == 500
    assert b"secret" not in response.body
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["fault"] * 3
    assert 'servery_refusals_total{code="INTERNAL",status="500"} 3.0' in door.metrics.render().decode()
    door.ask()
    assert (await door.client.response()).status == 200


async def test_a_house_that_drains_refuses(door: Door) -> None:
    """With 503 and a time to come back."""
    door.entrance.is_draining = True
    door.ask()
    response = await door.client.response()
    assert response.status == 503
    assert "retry-after" in response.headers


async def drained(door: Door) -> None:
    """As at the end of a platform whose patience is over."""
    await door.listener.drain(timeout_s=0.05, before_cut=door.entrance.cut_off)


async def text_came(door: Door, asked: int = 1) -> None:
    """Until the engines were asked so often, and what they said has been passed on."""
    async with asyncio.timeout(60):
        while len(door.house.first.asked + door.house.second.asked) < asked:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        while door.house.pipeline.open_streams and not all(  # noqa: ASYNC110
            journey.stream_began for journey in door.house.pipeline.open_streams._grants
        ):
            await asyncio.sleep(0.001)


CUT_FRAMES = {
    "/v1/chat/completions": "data: ",
    "/v1/messages": "event: error\ndata: ",
}


@pytest.mark.parametrize("path", CUT_FRAMES)
async def test_a_stream_that_is_cut_ends_with_an_error_frame(door: Door, path: str) -> None:
    """In the client's dialect, and nothing after it; the engine is told to stop, and what was delivered is charged."""
    door.house.first.always = door.house.second.always = sends(progress(12), token("a"), token("b"), then=stalls)
    door.ask(path, stream=True, max_tokens=99)
    await text_came(door)
    draining = asyncio.create_task(drained(door))
    response = await door.client.response()
    await draining
    assert await door.client.is_closed()
    last = response.body.decode().split("\n\n")[-2]
    assert last.startswith(CUT_FRAMES[path])
    told = json.loads(last.removeprefix(CUT_FRAMES[path]))
    assert told["error"]["message"] == "the server is shutting down"
    assert told["error"]["type"] == ("overloaded_error" if path == "/v1/messages" else "server_error")
    assert "[DONE]" not in response.body.decode()
    assert "message_stop" not in response.body.decode()
    (exchange,) = door.house.first.asked + door.house.second.asked
    async with asyncio.timeout(60):
        await exchange.client_left.wait()
    (record,) = door.house.ended.records
    assert (record.outcome, record.usage.generated_tokens) == (Outcome.PLATFORM_ENDED, 2)
    assert 'servery_refusals_total{code="SHUTTING_DOWN",status="503"} 1.0' in door.metrics.render().decode()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_whole_answer_that_is_cut_is_a_503(door: Door, path: str) -> None:
    """With a time to come back, in the client's dialect; it costs nothing, and the engine is told to stop."""
    door.house.first.always = door.house.second.always = stalls
    door.ask(path, max_tokens=9)
    await text_came(door)
    draining = asyncio.create_task(drained(door))
    response = await door.client.response()
    await draining
    assert response.status == 503
    assert response.headers["retry-after"] == "1"
    assert response.json["error"]["type"] == ("overloaded_error" if path == "/v1/messages" else "server_error")
    (exchange,) = door.house.first.asked + door.house.second.asked
    async with asyncio.timeout(60):
        await exchange.client_left.wait()
    assert door.house.ended.records == []


async def test_who_waits_for_a_place_is_cut_too(door: Door) -> None:
    """With 503, before any engine was asked."""
    door.house.first.always = stalls
    others = [await RawClient.connect(door.listener._server.sockets[0].getsockname()[1]) for _ in range(2)]  # type: ignore[union-attr]
    body = json.dumps({"model": PLAIN, "messages": MESSAGES, "max_tokens": 50}).encode()
    for client in others:
        client.post(body, "/v1/chat/completions", f"Authorization: Bearer {door.secret}")
        await turns(50)
    assert len(door.house.first.asked) == 1
    draining = asyncio.create_task(drained(door))
    assert [(await client.response()).status for client in others] == [503, 503]
    await draining
    for client in others:
        client.abort()
    assert door.house.ended.records == []


@pytest.mark.parametrize("path", ["/v1/accounts/waits", "/v1/models/waits"])
async def test_what_is_no_inference_is_cut_too(door: Door, path: str) -> None:
    """With 503 and a time to come back, in the form of its plane; it counts as every refusal does."""
    door.client.get(path)
    await turns()
    draining = asyncio.create_task(drained(door))
    response = await door.client.response()
    await draining
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert response.body == refusal_body(path, ShuttingDown())
    assert 'servery_refusals_total{code="SHUTTING_DOWN",status="503"} 1.0' in door.metrics.render().decode()


async def test_a_prompt_is_counted(door: Door) -> None:
    """With the request's id in both headers, and nothing in the books."""

    async def tells(exchange: FakeExchange) -> None:
        exchange.whole(200, b'{"input_tokens": 17}')

    door.house.first.always = door.house.second.always = tells
    door.ask("/v1/messages/count_tokens")
    answer = await door.client.response()
    assert (answer.status, answer.json) == (200, {"input_tokens": 17})
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    door.ask("/inference/v1/messages/count_tokens", max_tokens=5)
    refused = await door.client.response()
    assert (refused.status, refused.json["error"]["type"]) == (400, "invalid_request_error")
    assert refused.json["request_id"] == refused.headers["request-id"]
    assert not door.house.ended.records
