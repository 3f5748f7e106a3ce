"""The lines of inference responses' headers."""

from hypothesis import given
from hypothesis import strategies as st

from servery.serving.reply import StreamStart
from servery.web.server.response_headers import stream_headers


@given(st.floats(0, 1_000_000))
def test_times_are_told_to_the_millionth_of_a_second(time_s: float) -> None:
    """With six digits behind the point, however long it took."""
    (line,) = stream_headers(StreamStart(time_to_first_token_s=time_s)).splitlines()
    name, told = line.split(b": ")
    assert name == b"fireworks-server-time-to-first-token"
    assert abs(float(told) - time_s) < 6e-7
    assert len(told.partition(b".")[2]) == 6
