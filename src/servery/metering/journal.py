"""The journal: which requests an engine is working on, in a file that a killed process leaves behind.

The file is mapped into memory and divided into slots. A request takes a free slot when it goes to an engine and gives
it back when it ends; what is found in slots after the process is gone was cut.

    slot   | length, 2 bytes | JSON ...             |      length 0: free
           ^ written last, and its low byte behind the high one: so a slot is whole or free, or its length too short
             for any JSON of it to be read, wherever the process was killed

Writing is a copy in memory, a microsecond; the system keeps the pages when the process dies. A power cut may lose
them: what was cut by one costs nothing either, only nobody is told.
"""

import mmap
import os
from pathlib import Path
from typing import Final, Self

import msgspec

from servery.metering.open_request import Opened, OpenRequest, read_request

_SLOT_BYTES: Final = 1_024
_FIRST_SLOTS: Final = 4_096
_LENGTH_BYTES: Final = 2
_FREE: Final = 0
_MODEL: Final = 3
_REPLICA: Final = 5
_SUFFIX: Final = ".journal"

_encode_into: Final = msgspec.json.Encoder().encode_into


class Journal:
    """Belongs to one process at a time: a data directory has one platform (``store.ProcessLock``), and each of its
    workers a journal of its own. Others may read the file."""

    def __init__(self, memory: mmap.mmap) -> None:
        """``Journal.open`` and ``Journal.in_memory`` are how to get there."""
        self._memory = memory
        self._text = bytearray()  # of the request that was opened last
        self._slots: dict[str, int] = {}
        self.left = _requests(memory[:])
        """What was found when the journal was opened, oldest first. Kept until ``forget_left``."""
        occupied = [
            offset for offset in range(0, len(memory), _SLOT_BYTES) if any(memory[offset : offset + _LENGTH_BYTES])
        ]
        self._left_slots = occupied
        self._free = sorted(set(range(0, len(memory), _SLOT_BYTES)) - set(occupied), reverse=True)

    @classmethod
    def open(cls, file: Path) -> Self:
        """The journal in ``file``, which is made (0600, in a directory with 0700) where it is missing."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = max(os.fstat(descriptor).st_size // _SLOT_BYTES, _FIRST_SLOTS) * _SLOT_BYTES
            os.ftruncate(descriptor, size)
            return cls(mmap.mmap(descriptor, size))
        finally:
            os.close(descriptor)

    @classmethod
    def in_memory(cls) -> Self:
        """A journal that ends with its process, for those who need not know what was cut."""
        return cls(mmap.mmap(-1, _FIRST_SLOTS * _SLOT_BYTES))

    @property
    def open_requests(self) -> int:
        """How many ``open_ids`` are."""
        return len(self._slots)

    @property
    def open_ids(self) -> frozenset[str]:
        """The requests that this process has opened and not ended."""
        return frozenset(self._slots)

    def opened(self, request: Opened) -> None:
        """Write that an engine begins to work on it."""
        request_id: str = request[0]
        if request_id in self._slots:
            return
        text = self._text
        _encode_into(request, text)
        if len(text) > _SLOT_BYTES - _LENGTH_BYTES:  # names of any length can stand in a catalog
            _encode_into(["" if at in (_MODEL, _REPLICA) else value for at, value in enumerate(request)], text)
        if not self._free:
            self._grow()
        offset = self._slots[request_id] = self._free.pop()
        start = offset + _LENGTH_BYTES
        self._memory[start : start + len(text)] = text
        self._memory[offset + 1] = len(text) >> 8
        self._memory[offset] = len(text) & 255

    def ended(self, request_id: str) -> None:
        """Write that the request has ended; nothing when it never began."""
        offset = self._slots.pop(request_id, None)
        if offset is not None:
            self._put_free(offset)
            self._free.append(offset)

    def forget_left(self) -> None:
        """Free the slots of ``left``, once they are kept elsewhere."""
        for offset in self._left_slots:
            self._put_free(offset)
        self._free.extend(self._left_slots)
        self._left_slots, self.left = [], []

    def close(self) -> None:
        self._memory.close()

    def _put_free(self, offset: int) -> None:
        self._memory[offset] = _FREE
        self._memory[offset + 1] = _FREE

    def _grow(self) -> None:
        size = len(self._memory)
        self._memory.resize(2 * size)
        self._free = list(range(2 * size - _SLOT_BYTES, size - _SLOT_BYTES, -_SLOT_BYTES))


def journal_file(directory: Path, worker: int) -> Path:
    """Where the platform's worker of that number keeps its journal."""
    return directory / f"{worker}{_SUFFIX}"


def open_requests(directory: Path) -> list[OpenRequest]:
    """What stands in the journals of a platform that may be running, oldest first; nothing where there are none."""
    found = [request for file in directory.glob(f"*{_SUFFIX}") for request in _requests(file.read_bytes())]
    return sorted(found, key=_age)


def orphans(directory: Path, *, workers: int) -> list[Path]:
    """The journals of workers that a platform with so many does not have: it had more before."""
    own = {journal_file(directory, worker) for worker in range(workers)}
    return sorted(set(directory.glob(f"*{_SUFFIX}")) - own)


def _requests(slots: bytes) -> list[OpenRequest]:
    found = []
    for offset in range(0, len(slots), _SLOT_BYTES):
        length = int.from_bytes(slots[offset : offset + _LENGTH_BYTES], "little")
        if length:
            start = offset + _LENGTH_BYTES
            try:
                found.append(read_request(slots[start : start + length]))
            except msgspec.DecodeError:
                continue  # a slot that is being written at this moment
    return sorted(found, key=_age)


def _age(request: OpenRequest) -> tuple[int, str]:
    return request.opened_ns, request.request_id
