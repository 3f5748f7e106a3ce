"""Asking replicas how busy they are."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from tests.fakes.engine_scripts import refuses, stalls
from tests.fakes.fake_engine import FakeEngine, FakeExchange
from tests.fleet.keeping import new_client, replica_of

from servery.catalog.engine import UrlEngine
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.fleet.load_scraper import LoadScraper, ScrapePace
from servery.fleet.replica import Replica

PACE = ScrapePace(interval_s=0.01, timeout_s=20.0, stale_after_s=6.0)


async def tells_load(exchange: FakeExchange) -> None:
    assert exchange.path == "/metrics"
    exchange.whole(200, b"vllm:num_requests_running 3\nvllm:num_requests_waiting 1\nvllm:kv_cache_usage_perc 0.5\n")


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(tells_load) as engine:
        yield engine


def replica_at(engine: FakeEngine, family: EngineFamily = EngineFamily.VLLM) -> Replica:
    replica = replica_of(UrlEngine(family=family, urls=(engine.url,), served_model="m"))
    replica.up(new_client(engine.address(family)))
    return replica


def scraper_of(replica: Replica, clock: ManualClock) -> LoadScraper:
    return LoadScraper([replica], pace=PACE, clock=clock, random=Random(7))


async def test_a_load_is_kept_until_it_is_stale(engine: FakeEngine, clock: ManualClock) -> None:
    """It is marked when it could not be renewed for too long; the next that is read is fresh again."""
    replica = replica_at(engine)
    scraper = scraper_of(replica, clock)
    await scraper.scrape(replica)
    assert replica.load is not None
    assert (replica.load.running, replica.load.waiting, replica.load.kv_usage) == (3, 1, 0.5)
    engine.always = refuses(500, "broken")
    clock.advance(PACE.stale_after_s)
    await scraper.scrape(replica)
    assert not replica.load.is_stale
    clock.advance(0.1)
    await scraper.scrape(replica)
    assert replica.load.is_stale
    assert replica.load.running == 3, "what was last known"
    engine.always = tells_load
    await scraper.scrape(replica)
    assert not replica.load.is_stale
    replica.close()


async def test_a_replica_that_is_down_is_not_asked(engine: FakeEngine, clock: ManualClock) -> None:
    """Its load gets old; an engine that takes its place has none yet."""
    replica = replica_at(engine)
    scraper = scraper_of(replica, clock)
    await scraper.scrape(replica)
    replica.down("test")
    clock.advance(PACE.stale_after_s + 1)
    await scraper.scrape(replica)
    assert len(engine.asked) == 1
    assert replica.load is not None
    assert replica.load.is_stale
    replica.up(new_client(engine.address(EngineFamily.VLLM)))
    assert replica.load is None
    replica.close()


async def test_an_engine_of_unknown_kind_is_not_asked(engine: FakeEngine, clock: ManualClock) -> None:
    """A plain API has no metrics that are known."""
    replica = replica_at(engine, EngineFamily.OPENAI)
    await scraper_of(replica, clock).scrape(replica)
    assert engine.asked == []
    assert replica.load is None
    replica.close()


async def test_it_goes_on_by_itself(engine: FakeEngine, clock: ManualClock) -> None:
    """For as long as it is awaited, whatever the engine answers."""
    engine.scripts.append(refuses(503, "busy"))
    replica = replica_at(engine)
    running = asyncio.create_task(scraper_of(replica, clock).run())
    async with asyncio.timeout(60):
        await engine.wait_asked(4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert replica.load is not None
    replica.close()


async def test_an_engine_that_is_slow_to_tell_is_not_doubted(engine: FakeEngine, clock: ManualClock) -> None:
    """Its metrics take longer than is waited: the load is that of before until it is stale, and neither the circuit nor
    the replica's state is touched, since nothing was asked of it on anybody's behalf."""
    replica = replica_at(engine)
    await scraper_of(replica, clock).scrape(replica)
    engine.always = stalls
    scraper = LoadScraper([replica], pace=ScrapePace(timeout_s=0.02), clock=clock, random=Random(7))
    for age_s, is_stale in ((4.0, False), (2.5, True)):
        clock.advance(age_s)
        for _ in range(6):
            await scraper.scrape(replica)
        assert replica.load is not None
        assert replica.load.is_stale is is_stale
        assert replica.is_ready
        assert replica.circuit.is_closed
        assert set(replica.faults.values()) == {0}
    replica.close()
    await engine.wait_connections(0)
