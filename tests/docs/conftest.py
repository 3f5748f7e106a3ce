"""What documents are held against."""

import asyncio
import re

import pytest
from tests.web_server.server import LIMITS

from servery.core.clock import ManualClock
from servery.fleet.fleet import Fleet
from servery.gauges import add_connection_gauge, add_gauges, add_hedge_gauge, add_routing_gauges, add_spool_gauge
from servery.routing.router import Router
from servery.serving.hedging import Hedging
from servery.serving.retry import RetryBudget
from servery.telemetry.metrics import Metrics
from servery.web.server.http_request import HttpRequest
from servery.web.server.listener import Listener
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.write_pressure import WritePressure


class _NoFleet(Fleet):
    """A fleet without pools: metrics have names all the same."""

    def __init__(self) -> None:
        self.pools = {}


async def _nobody(
    request: HttpRequest, writer: ResponseWriter, pressure: WritePressure, task: asyncio.Task[None]
) -> None:
    """Serves nobody."""


@pytest.fixture
def platform_metrics() -> set[str]:
    """The names of all metrics."""
    metrics = Metrics()
    add_gauges(metrics, _NoFleet(), {})
    add_routing_gauges(metrics, Router(ManualClock(), slot_isolation=True))
    add_hedge_gauge(metrics, Hedging({}, {}, RetryBudget()))
    add_spool_gauge(metrics, None)
    add_connection_gauge(metrics, Listener(_nobody, LIMITS))
    text = metrics.render().decode()
    return {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}
