"""What stands in the segments of a write-ahead log, as its owner left it or as somebody else finds it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from servery.store.log_segment import Frame, frames, needed_from

_SUFFIX: Final = ".log"
_READINGS: Final = 3


class LogContents:
    """``frames``: those with entries that are needed, in order. ``needed_from``: the first number that is. ``lost``:
    the numbers that should stand between them and cannot be read. ``end_by_file``: of each segment the number after the
    last entry in it, needed or not; 0 where there is none."""

    __slots__ = ("end", "end_by_file", "frames", "lost", "needed_from")

    def __init__(self, data_by_file: Iterable[tuple[Path, bytes]]) -> None:
        found = [(file, needed_from(data), list(frames(data))) for file, data in data_by_file]
        known = [number for _, number, _ in found if number is not None]
        everything = sorted((frame for _, _, some in found for frame in some), key=lambda frame: frame.first)
        # Without a sound header nobody knows what is needed; all of it does no harm.
        self.needed_from = max(known) if known else min((frame.first for frame in everything), default=0)
        self.end_by_file = {file: max((frame.end for frame in some), default=0) for file, _, some in found}
        self.frames: list[Frame] = [frame for frame in everything if frame.end > self.needed_from]
        self.end = max((frame.end for frame in self.frames), default=self.needed_from)
        """The number that the next entry takes."""
        self.lost = gaps(self.frames, range(self.needed_from, self.end))


def gaps(frames: Iterable[Frame], wanted: range) -> list[range]:
    """The numbers of ``wanted`` that are in none of the frames, which come in order."""
    found, reached = [], wanted.start
    for frame in frames:
        if frame.first > reached:
            found.append(range(reached, frame.first))
        reached = max(reached, frame.end)
    return [*found, range(reached, wanted.stop)] if reached < wanted.stop else found


def log_files(directory: Path) -> list[Path]:
    """The segments of the log in a directory."""
    return sorted(directory.glob(f"*{_SUFFIX}"))


def segment_file(directory: Path, number: int) -> Path:
    return directory / f"{number}{_SUFFIX}"


def read_log(directory: Path) -> LogContents:
    """The log in a directory, to which its owner may be writing. What looks damaged is read again: a file that is
    written to at this moment may look so."""
    contents = _read(log_files(directory))
    for _ in range(_READINGS - 1):
        if not contents.lost:
            break
        contents = _read(log_files(directory))
    return contents


def _read(files: Sequence[Path]) -> LogContents:
    found = []
    for file in files:
        try:
            found.append((file, file.read_bytes()))
        except FileNotFoundError:
            continue  # its owner has no use for it any more
    return LogContents(found)
