"""What this machine lacks to run the embedded engine."""

import ctypes
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Final

_CPU_INFO: Final = Path("/proc/cpuinfo")
_NEEDED_CPU_FLAGS: Final = ("avx2", "fma", "f16c")
_OPENMP: Final = "libgomp.so.1"


def missing(
    *,
    system: str = platform.system(),
    architecture: str = platform.machine(),
    cpu_info: Path = _CPU_INFO,
    load_library: Callable[[str], object] = ctypes.CDLL,
) -> list[str]:
    """One sentence for each thing that is missing, with the command that brings it where one does; empty where the
    engine can run. Only Linux is looked at: elsewhere the engine brings all it needs.
    """
    if system != "Linux":
        return []
    lacks: list[str] = []
    try:
        load_library(_OPENMP)
    except OSError:
        lacks.append(f"the embedded engine needs {_OPENMP}: apt-get install libgomp1")
    absent = _absent_cpu_flags(cpu_info) if architecture == "x86_64" else []
    if absent:
        names = ", ".join(absent).upper()
        lacks.append(f"the embedded engine needs a processor with {names}; engines given by URL run without")
    return lacks


def _absent_cpu_flags(cpu_info: Path) -> list[str]:
    """The needed flags that the first processor does not list; none where the system does not tell."""
    try:
        text = cpu_info.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    flags = next((line.partition(":")[2].split() for line in text.splitlines() if line.startswith("flags")), None)
    return [] if flags is None else [flag for flag in _NEEDED_CPU_FLAGS if flag not in flags]
