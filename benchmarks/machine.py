"""What a run ran on, in words."""

import os
import platform
from pathlib import Path

from benchmarks.cores import Cores


def described(cores: Cores) -> str:
    """Processor, cores, kernel, Python, what ran where, and what else ran: asked before the load is on."""
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores ({cores}), Linux {platform.release().partition('-')[0]},"
        f" Python {platform.python_version()}, loopback; load average {os.getloadavg()[0]:.1f} before the run"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
