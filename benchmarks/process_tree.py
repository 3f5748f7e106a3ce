"""What a process and all its descendants have used, from the operating system's own books."""

import os
from pathlib import Path

import msgspec

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Memory(msgspec.Struct, frozen=True):
    """Bytes. ``rss`` counts pages that are shared once for each process, ``pss`` divides them."""

    rss_bytes: int
    pss_bytes: int


class _Stat(msgspec.Struct, frozen=True):
    parent: int
    cpu_ticks: int


def cpu_s(root: int) -> float:
    """User and system seconds of the tree below ``root``, with those of descendants that have ended and were waited
    for. 0 when there is no such process. The system counts in ticks, of 10 ms as a rule."""
    stats = _stats()
    return sum(stats[pid].cpu_ticks for pid in _below(root, stats)) / _TICKS_PER_S


def memory(root: int) -> Memory:
    """What the tree below ``root`` holds now. The kernel's socket buffers are not in it."""
    rss = pss = 0
    for pid in _below(root, _stats()):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has just ended
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
        rss += sizes.get("Rss", 0)
        pss += sizes.get("Pss", 0)
    return Memory(rss, pss)


def parsed_stat(text: str) -> tuple[int, int]:
    """(parent, ticks of CPU) in a line of ``/proc/<pid>/stat``; the command in it may hold spaces and parentheses."""
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15])


def _stats() -> dict[int, _Stat]:
    found = {}
    for entry in os.listdir(_PROC):  # noqa: PTH208 - cheaper, and this runs beside what is measured
        if entry.isdigit():
            try:
                found[int(entry)] = _Stat(*parsed_stat((_PROC / entry / "stat").read_text()))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
    return found


def _below(root: int, stats: dict[int, _Stat]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found, waiting = [], [root] if root in stats else []
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found
