"""What the operator reads at the terminal."""

import io
import subprocess
import sys

from tests.child_environment import child_environment

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


SAYS = """
import sys
from servery.telemetry.announcer import Announcer
announcer = Announcer(sys.stdout)
sys.stdin.readline()
for _ in range(2):
    announcer.say("Stopping")
print("done", file=sys.stderr)
"""


def test_a_reader_that_is_gone_fails_nothing() -> None:
    """Neither what is said nor the process's end."""
    with subprocess.Popen(
        [sys.executable, "-c", SAYS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, told = process.communicate(b"\n", timeout=120)
    assert (process.returncode, told) == (0, b"done\n")
