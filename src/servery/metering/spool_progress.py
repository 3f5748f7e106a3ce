"""How far each spool of a platform has been fed: told to its other workers in a few bytes of shared memory."""

import asyncio
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_FILE: Final = "progress"
_NUMBERS: Final = struct.Struct("<QQ")
_NUMBER: Final = struct.Struct("<Q")
_LOOK_S: Final = 0.02


class SpoolProgress:
    """Written by the spool's owner: up to which number postings are kept, and up to which the books have them."""

    __slots__ = ("_memory",)

    def __init__(self, directory: Path, *, kept_to: int, fed_to: int) -> None:
        descriptor = os.open(directory / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _NUMBERS.size)
            self._memory = mmap.mmap(descriptor, _NUMBERS.size)
        finally:
            os.close(descriptor)
        _NUMBERS.pack_into(self._memory, 0, kept_to, fed_to)

    def kept(self, kept_to: int) -> None:
        _NUMBER.pack_into(self._memory, 0, kept_to)

    def fed(self, fed_to: int) -> None:
        _NUMBER.pack_into(self._memory, _NUMBER.size, fed_to)

    def close(self) -> None:
        self._memory.close()


def remove_progress(directory: Path) -> None:
    """Of a spool that is no more."""
    (directory / _FILE).unlink(missing_ok=True)


async def wait_fed(directories: Sequence[Path], *, timeout_s: float) -> bool:
    """Return once all that these spools keep now is in the books: true; false when that takes longer. Looks again and
    again: who feeds them is another process."""
    targets = {directory: kept_to for directory in directories if (kept_to := _read(directory)[0]) > 0}
    try:
        async with asyncio.timeout(timeout_s):
            while any(_read(directory)[1] < kept_to for directory, kept_to in targets.items()):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return False
    return True


def _read(directory: Path) -> tuple[int, int]:
    try:
        kept_to, fed_to = _NUMBERS.unpack((directory / _FILE).read_bytes())
    except (FileNotFoundError, struct.error):  # nobody has told anything yet
        return 0, 0
    return kept_to, fed_to
