"""The lines of inference responses' headers."""

from hypothesis import given
from hypothesis import strategies as st

from servery.core.limit_reading import LimitReading
from servery.serving.reply import StreamStart
from servery.web.server.response_headers import LimitLines, limit_headers, stream_headers


@given(st.floats(0, 1_000_000))
def test_times_are_told_to_the_millionth_of_a_second(time_s: float) -> None:
    """With six digits behind the point, however long it took."""
    (line,) = stream_headers(StreamStart(time_to_first_token_s=time_s)).splitlines()
    name, told = line.split(b": ")
    assert name == b"fireworks-server-time-to-first-token"
    assert abs(float(told) - time_s) < 6e-7
    assert len(told.partition(b".")[2]) == 6


FIGURES = st.integers(0, 3) | st.integers(0)
READINGS = st.builds(
    LimitReading,
    prompt=FIGURES,
    uncached_prompt=FIGURES,
    generated=FIGURES,
    requests=FIGURES,
    prompt_remaining=FIGURES,
    uncached_prompt_remaining=FIGURES,
    generated_remaining=FIGURES,
    requests_remaining=FIGURES,
    read_ns=st.just(0),
)


@given(st.lists(READINGS))
def test_limits_are_told_as_they_are_now(readings: list[LimitReading]) -> None:
    """Whatever was read before, each reading's lines are its own."""
    lines = LimitLines()
    for reading in readings:
        assert lines.of(reading) == limit_headers(reading)
        told = dict(line.split(b": ") for line in lines.of(reading).splitlines())
        assert told[b"x-ratelimit-limit-tokens-prompt"] == b"%d" % reading.prompt
        assert told[b"x-ratelimit-limit-tokens-cache-adjusted-prompt"] == b"%d" % reading.uncached_prompt
        assert told[b"x-ratelimit-limit-tokens-generated"] == b"%d" % reading.generated
        assert told[b"x-ratelimit-limit-requests"] == b"%d" % reading.requests
        assert told[b"x-ratelimit-remaining-requests"] == b"%d" % reading.requests_remaining
