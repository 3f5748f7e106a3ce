"""A segment of a write-ahead log: a file that has its full length from the start and is written from its front.

    header  | magic | needed from, checksum | ...
    frame   | magic | length | first number | count | checksum | payload |
    frame   | ...                                                          then zeros, or frames of an earlier use

A frame is what was synced at once: the entries of a group, numbered on from ``first number``. Because no block is new
to the file when it is written, the disk is given the frame and nothing besides. A segment is used again from its front
when nothing in it is needed any more; what an earlier use has left behind has lower numbers than are needed. So no
length has to be kept, and a frame that was written in part, by whoever was killed, is passed over: its checksum is
wrong.

A frame whose writing failed may be on the disk all the same, whole, and its numbers are given to others. So it must be
gone before they stand anywhere else: the next frame is written over it, or its place is cleared first.
"""

import contextlib
import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from xxhash import xxh3_64_intdigest

from servery.store.durable_file import sync_directory
from servery.store.kept_file import KeptFile

_MAGIC: Final = b"SERVERY1"
_HEADER_BYTES: Final = 64
_NEEDED: Final = struct.Struct("<QI")
_NEEDED_AT: Final = len(_MAGIC)
_NEW: Final = ".new"
_FRAME_MAGIC: Final = b"\xf7LG2"  # no byte of UTF-8 is 0xf7: no text holds it
_EARLIER_MAGIC: Final = b"\xf7LOG"
_MAGICS_BEGIN: Final = b"\xf7L"
_FRAME: Final = struct.Struct("<4sIQI")
_CHECKSUM: Final = struct.Struct("<I")
FRAME_BYTES: Final = _FRAME.size + _CHECKSUM.size
"""What a frame takes beside its payload."""


class Frame:
    """``count`` entries from number ``first`` on, as they were written: one payload."""

    __slots__ = ("count", "first", "payload")

    def __init__(self, first: int, count: int, payload: bytes) -> None:
        self.first = first
        self.count = count
        self.payload = payload

    @property
    def end(self) -> int:
        """The number after its last."""
        return self.first + self.count


class LogSegment:
    """One file. ``end``: the number after the last entry that is in it, as far as its owner has told."""

    __slots__ = ("_descriptor", "_kept", "_offset", "_size", "_unsynced", "end", "file", "is_in_doubt")

    def __init__(self, file: Path) -> None:
        """A file that is there; see ``make_segment``. Raises OSError."""
        self.file = file
        self.end = 0
        self.is_in_doubt = False
        """Whether the frame that failed last may be on the disk."""
        self._descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_DSYNC)
        try:
            self._unsynced = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            os.close(self._descriptor)
            raise
        self._kept = KeptFile(file)
        self._size = os.fstat(self._descriptor).st_size
        self._offset = 0  # nothing written in this use

    def has_room(self, payload_bytes: int) -> bool:
        return max(self._offset, _HEADER_BYTES) + FRAME_BYTES + payload_bytes <= self._size

    def append(self, first: int, count: int, payload: bytes, *, needed_from: int) -> None:
        """Write a frame; on the disk once it returns. In a new use the header goes with it. Raises OSError, and then
        the frame is in doubt until the next is written here, or ``clear_doubt``."""
        head = _FRAME.pack(_FRAME_MAGIC, len(payload), first, count)
        frame = b"".join((head, _CHECKSUM.pack(_checksum(head, payload)), payload))
        try:
            if self._offset == 0:
                self._write(_header(needed_from) + frame, 0)
                self._offset = _HEADER_BYTES
            else:
                self._write(frame, self._offset)
            self._kept.check()
        except OSError:
            self.is_in_doubt = True
            with contextlib.suppress(OSError):  # who reads it now, or after a kill, should not find it
                os.pwrite(self._unsynced, bytes(FRAME_BYTES), max(self._offset, _HEADER_BYTES))
            raise
        self.is_in_doubt = False
        self._offset += len(frame)
        self.end = first + count

    def clear_doubt(self) -> None:
        """The frame that failed last is not there, on the disk, once it returns. Raises OSError."""
        self._write(bytes(FRAME_BYTES), max(self._offset, _HEADER_BYTES))
        self.is_in_doubt = False

    def mark_needed(self, number: int, *, on_disk: bool) -> None:
        """Entries before ``number`` are needed no more. Seldom waited for: who forgets it reads more than needed.
        Raises OSError."""
        os.pwrite(self._descriptor if on_disk else self._unsynced, _header(number), 0)

    def check(self, *, needed_from: int | None = None) -> None:
        """Raises OSError when the file is not where it was, and, where ``needed_from`` is given to be written once
        more, when it cannot be written."""
        self._kept.check()
        if needed_from is not None:
            self.mark_needed(needed_from, on_disk=True)

    def use_again(self) -> None:
        """Write from the front again."""
        self._offset = 0

    def sync(self) -> None:
        """All that can be read in it is on the disk once it returns. Raises OSError."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._unsynced)

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            data, offset = data[written:], offset + written


def make_segment(file: Path, size: int) -> None:
    """A segment of ``size`` bytes of zeros, on the disk. Raises OSError, and then there is none; whoever is killed
    meanwhile leaves none that is too short.

    It is written by the page: of a large piece Linux may keep some megabytes as one, and looks at every block of it
    whenever a frame is written there (ext4, 6.18: an eighth of what a frame costs)."""
    new = file.with_suffix(_NEW)
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        done = 0
        while done < size:
            done += os.pwrite(descriptor, bytes(min(mmap.PAGESIZE, size - done)), done)
        os.fsync(descriptor)
        new.rename(file)
    except OSError:
        new.unlink()
        raise
    finally:
        os.close(descriptor)
    sync_directory(file.parent)


def remove_segments(files: Iterable[Path]) -> None:
    """Take away the segments of a log of which nothing is needed; the one that says so goes last. Raises OSError."""
    for file in sorted(files, key=lambda each: needed_from(each.read_bytes()) or 0):
        file.with_suffix(_NEW).unlink(missing_ok=True)
        file.unlink()


def needed_from(data: bytes) -> int | None:
    """From which number on entries were needed when the header was written; None where there is no sound header."""
    if not data.startswith(_MAGIC) or len(data) < _HEADER_BYTES:
        return None
    number, checksum = _NEEDED.unpack_from(data, _NEEDED_AT)
    return int(number) if _needed(number)[8:] == _CHECKSUM.pack(checksum) else None


def frames(data: bytes) -> Iterator[Frame]:
    """All frames in a segment's bytes whose checksum is right, also those of earlier uses, in the order in which they
    stand. What is between them is passed over."""
    at = data.find(_MAGICS_BEGIN)
    while at >= 0:
        frame = _frame_at(data, at)
        if frame is not None:
            yield frame
        at = data.find(_MAGICS_BEGIN, at + (1 if frame is None else FRAME_BYTES + len(frame.payload)))


def _frame_at(data: bytes, at: int) -> Frame | None:
    start = at + FRAME_BYTES
    if start > len(data):
        return None
    head = data[at : at + _FRAME.size]
    magic, length, first, count = _FRAME.unpack(head)
    payload = data[start : start + length]
    (checksum,) = _CHECKSUM.unpack_from(data, at + _FRAME.size)
    if len(payload) < length:
        return None
    if magic == _FRAME_MAGIC:
        is_sound = checksum == _checksum(head, payload)
    else:  # left by an earlier version
        is_sound = magic == _EARLIER_MAGIC and checksum == zlib.crc32(payload, zlib.crc32(head))
    return Frame(first, count, payload) if is_sound else None


def _checksum(head: bytes, payload: bytes) -> int:
    """Of a frame: XXH3, cut to what fits, takes an eighth of what zlib's CRC did."""
    checksum: int = xxh3_64_intdigest(payload, zlib.crc32(head)) & 0xFFFF_FFFF
    return checksum


def _header(number: int) -> bytes:
    return (_MAGIC + _needed(number)).ljust(_HEADER_BYTES, b"\0")


def _needed(number: int) -> bytes:
    return _NEEDED.pack(number, zlib.crc32(number.to_bytes(8, "little")))
