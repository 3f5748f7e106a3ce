"""What documents are held against."""

import re

import pytest

from servery.core.clock import ManualClock
from servery.fleet.fleet import Fleet
from servery.gauges import add_gauges, add_hedge_gauge, add_routing_gauges, add_spool_gauge
from servery.routing.router import Router
from servery.serving.hedging import Hedging
from servery.serving.retry import RetryBudget
from servery.telemetry.metrics import Metrics


class _NoFleet(Fleet):
    """A fleet without pools: metrics have names all the same."""

    def __init__(self) -> None:
        self.pools = {}


@pytest.fixture
def platform_metrics() -> set[str]:
    """The names of all metrics."""
    metrics = Metrics()
    add_gauges(metrics, _NoFleet(), {})
    add_routing_gauges(metrics, Router(ManualClock(), slot_isolation=True))
    add_hedge_gauge(metrics, Hedging({}, {}, RetryBudget()))
    add_spool_gauge(metrics, None)
    text = metrics.render().decode()
    return {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}
