"""What the operator reads at the terminal."""

import io

from servery.telemetry.announcer import Announcer


def test_each_step_is_a_line() -> None:
    """As it happens."""
    stream = io.StringIO()
    announcer = Announcer(stream)
    announcer.say("hello")
    announcer.starting("demo/0", "demo")
    announcer.ready("demo/0", seconds=0.25)
    announcer.failed("demo/0", "ended with status -9")
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["hello"],
        ["demo/0", "starting", "demo"],
        ["demo/0", "ready", "after", "0.2", "s"],
        ["demo/0", "down", "ended", "with", "status", "-9"],
    ]
