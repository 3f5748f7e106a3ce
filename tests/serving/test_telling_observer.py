"""What metrics and the log are told of a request."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.billing.charge import Charge
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.metering.usage_record import UsageRecord
from servery.serving.telling_observer import _ENDED, TellingObserver, _Ended, _Told
from servery.telemetry.event_line import JsonLines, TextLines
from servery.telemetry.gathered_lines import EventWriter, GatheredLines
from servery.telemetry.metrics import Metrics

RECORD = UsageRecord(
    request_id="r1",
    account="acme",
    key_id="key_secret",
    model="m",
    serving_path=ServingPath.STANDARD,
    price_id="price",
    usage=Usage(20, 8, 3),
    outcome=Outcome.COMPLETED,
    started_ns=0,
    finished_ns=5_000_000,
    replica="p/0",
    queue_wait_us=2_000,
    time_to_first_token_us=3_000,
)


def test_an_end_is_counted_by_kind_of_token() -> None:
    """Uncached, cached, generated; money in nano-dollars."""
    metrics = Metrics()
    TellingObserver(metrics, logging.getLogger("test")).ended(RECORD, Charge(7_000, 7))
    shown = metrics.render().decode()
    for line in (
        'servery_requests_total{model="m",outcome="completed",path="standard"} 1.0',
        'servery_tokens_total{kind="uncached_prompt",model="m",path="standard"} 12.0',
        'servery_tokens_total{kind="cached_prompt",model="m",path="standard"} 8.0',
        'servery_tokens_total{kind="generated",model="m",path="standard"} 3.0',
        'servery_charged_nanodollars_total{model="m",path="standard"} 7.0',
        'servery_time_to_first_token_seconds_count{model="m",path="standard"} 1.0',
    ):
        assert line in shown
    assert 'servery_estimated_usage_total{model="m"} 0.0' in shown


def test_an_end_without_a_token_has_no_time_to_one() -> None:
    """And a usage that is estimated is counted as such."""
    metrics = Metrics()
    usage = Usage(20, 0, 0, estimated=True)
    record = changed(RECORD, usage=usage, time_to_first_token_us=None, outcome=Outcome.CLIENT_GONE)
    TellingObserver(metrics, logging.getLogger("test")).ended(record, Charge(0, 0))
    shown = metrics.render().decode()
    assert 'servery_time_to_first_token_seconds_count{model="m",path="standard"} 0.0' in shown
    assert 'servery_estimated_usage_total{model="m"} 1.0' in shown


@given(
    usage=st.tuples(st.integers(1_000, 9_999), st.integers(0, 1_000), st.integers(0, 2_000)),
    times=st.lists(st.integers(0, 10**13), min_size=4, max_size=4),
    names=st.lists(st.text(), min_size=4, max_size=4),
    path=st.sampled_from(ServingPath),
    outcome=st.sampled_from(Outcome),
)
def test_an_end_is_told_in_the_words_of_any_event(
    usage: tuple[int, int, int], times: list[int], names: list[str], path: ServingPath, outcome: Outcome
) -> None:
    """Each field behind its label, in the order of the kind."""
    request_id, account, model, replica = names
    record = changed(
        RECORD,
        request_id=request_id,
        account=account,
        model=model,
        replica=replica,
        usage=Usage(*usage),
        serving_path=path,
        outcome=outcome,
        started_ns=times[0],
        finished_ns=times[0] + times[1],
        queue_wait_us=times[2],
    )
    written = io.StringIO()
    words = _Told(Metrics(), model, path).words[outcome]
    ended = _Ended(record, Charge(0, times[3]), words)
    for form in (TextLines(), JsonLines()):
        gathered = GatheredLines(written)
        EventWriter(gathered, form, _ENDED).write(ended)
        gathered.flush()
    values = ended.values()
    told = "".join(f"  {field}={value}" for field, value in zip(_ENDED.fields, values, strict=True))
    text = written.getvalue()
    assert told + "\n{" in text
    machine = json.loads(text[text.rindex(told) + len(told) :])
    assert machine.items() >= dict(zip(_ENDED.fields, values, strict=True)).items()


def test_the_log_tells_facts_and_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Whose, what, how long, how much; never a key."""
    with caplog.at_level(logging.INFO, logger="test"):
        TellingObserver(Metrics(), logging.getLogger("test")).ended(RECORD, Charge(7_000, 7))
    (told,) = caplog.records
    fields = told.__dict__["fields"]
    assert fields["request_id"] == "r1"
    assert (fields["queue_wait_ms"], fields["total_ms"], fields["nanodollars"]) == (2, 5, 7)
    assert "key_secret" not in str(fields)
