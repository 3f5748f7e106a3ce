"""Postings that were kept in a spool and cannot be read any more: its disk has changed what was written.

What is known of them, their numbers, is written down in a file beside the spool, until somebody who has looked at it
takes the file away.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from servery.store.durable_file import append_durably

_FILE: Final = "lost.txt"


class LostPostings:
    """Those of one spool. One process adds to them; others may read."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / _FILE

    def add(self, ranges: Sequence[range]) -> None:
        """On the disk once it returns. Raises OSError."""
        new = [each for each in ranges if each not in self.read()]
        if not new:
            return
        append_durably(self._file, "".join(f"\n{each.start} {each.stop}\n" for each in new).encode())

    def read(self) -> list[range]:
        """All that were added. What a killed process has written half of is passed over: it is added again."""
        lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True) if self._file.exists() else []
        words = [line.split() for line in lines if line.endswith("\n") and line.strip()]
        return [range(int(pair[0]), int(pair[1])) for pair in words if len(pair) == 2]
