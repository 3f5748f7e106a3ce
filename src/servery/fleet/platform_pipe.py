"""A child process's end of the pipe to the platform: its order comes through it, and its end means that the platform
is gone, even one that was killed. So no child outlives the platform.
"""

import os
import sys
import threading
from collections.abc import Callable


def read_order_line() -> bytes:
    """The first line. Read without Python's buffers, whose locks a thread that waits for the end would hold at a
    failing exit."""
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(sys.stdin.fileno(), 1)):
        line += piece
    return line


def write_reply_line(reply: bytes) -> None:
    sys.stdout.buffer.write(reply + b"\n")
    sys.stdout.buffer.flush()


def when_closed(leave: Callable[[], None]) -> None:
    """Call ``leave``, on a thread of its own, once the platform has closed its end or is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        leave()

    threading.Thread(target=wait, daemon=True).start()
