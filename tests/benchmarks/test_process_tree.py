"""The operating system's books."""

import os
import subprocess
import sys

from benchmarks.process_tree import cpu_s, memory, parsed_stat

BUSY = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"


def test_a_command_with_parentheses_is_read() -> None:
    """A program may be called anything; the fields are counted from the last parenthesis."""
    line = "7 (a) b (c)) S 3 7 7 0 -1 4194304 1 2 3 4 11 22 33 44 20 0 1 0 100 1 1"
    assert parsed_stat(line) == (3, 110)


def test_time_of_ended_children_stays_in_the_tree() -> None:
    """A gateway that starts a process for each request pays for it."""
    before = cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert cpu_s(os.getpid()) - before >= 0.15


def test_memory_of_this_process_is_seen() -> None:
    """What is shared counts in part only."""
    held = memory(os.getpid())
    assert 1_000_000 < held.pss_bytes <= held.rss_bytes


def test_what_is_not_there_has_used_nothing() -> None:
    """A gateway that has died is no fault of the client's."""
    assert cpu_s(2**22 + 1) == 0.0
    assert memory(2**22 + 1).rss_bytes == 0
