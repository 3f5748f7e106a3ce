"""Counters, histograms, and gauges that are read when they are asked for."""

from servery.telemetry.metrics import Metrics


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.render().decode().splitlines())


def test_counters_are_shown_with_their_labels() -> None:
    """In Prometheus' text format, with the platform's prefix."""
    metrics = Metrics()
    metrics.tokens.labels("m", "standard", "generated").inc(5)
    assert 'servery_tokens_total{kind="generated",model="m",path="standard"} 5.0' in lines(metrics)


def test_gauges_are_read_each_time() -> None:
    """Nothing is kept between two looks."""
    metrics = Metrics()
    level = [1.0]
    metrics.gauge("level", "A level.", ("pool",), lambda: [(("p",), level[0])])
    assert 'servery_level{pool="p"} 1.0' in lines(metrics)
    level[0] = 2.0
    assert 'servery_level{pool="p"} 2.0' in lines(metrics)


def test_nothing_is_shared() -> None:
    """Two platforms in one process count for themselves."""
    one, other = Metrics(), Metrics()
    one.lost_writes.inc()
    assert "servery_lost_writes_total 1.0" in lines(one)
    assert "servery_lost_writes_total 0.0" in lines(other)
