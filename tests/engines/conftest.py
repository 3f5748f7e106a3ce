"""A client of a fake engine, with an end to every wait."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from tests.fakes.engine_scripts import streams
from tests.fakes.fake_engine import FakeEngine

from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits

NewClient = Callable[..., EngineClient]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The platform's own event loop, whose transports differ from asyncio's in detail."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(streams()) as engine:
        yield engine


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def new_client(engine: FakeEngine, clock: ManualClock) -> AsyncIterator[NewClient]:
    """Makes clients of ``engine``; keywords are those of the limits."""
    clients: list[EngineClient] = []

    def make(family: EngineFamily = EngineFamily.LLAMA_CPP, **limits: float) -> EngineClient:
        of_exchange = {"first_byte_timeout_s": 60.0, "chunk_timeout_s": 60.0, "whole_timeout_s": 60.0}
        of_exchange |= {name: limits.pop(name) for name in list(limits) if name in ExchangeLimits.FIELDS}
        client = EngineClient(
            engine.address(family),
            connection_limits=ConnectionLimits(**limits),
            exchange_limits=ExchangeLimits(**of_exchange),
            clock=clock,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
