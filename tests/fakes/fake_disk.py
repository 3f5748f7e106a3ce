"""A disk that can be asked what it has after a kill or a power cut, and that fails when told to.

Files are real files, which are what the system's memory has of them. Beside them it is kept what the disk has: of each
file, sectors as of their last synced write; of a directory, names as of its last sync. A power cut leaves of each
sector and name that is not synced the one or the other. A sector is written whole or not at all.
"""

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import pytest

Answer = TypeVar("Answer")

SECTOR_BYTES = 512


class Fault(StrEnum):
    """What comes of a write: an error after a part of it; fewer bytes than were asked for; or the end of the process
    before it knows."""

    ERROR = "error"
    SHORT = "short"
    END = "end"


class FakeDisk:
    """Of the files in one directory, which there are and which come. ``chance`` chooses what becomes of a write that
    fails, and what a power cut leaves."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._directory = directory
        self._chance = chance
        self._synced = {file.name: bytearray(file.read_bytes()) for file in directory.glob("*")}
        self._gone: dict[str, bytearray] = {}
        self._open: dict[int, str] = {}
        self._fault: Fault | None = None
        self._after = 0
        self._in_turn = threading.RLock()
        self.is_dead = False
        """Whether the process has come to its end: nothing that it asks for is done."""

    def fail(self, fault: Fault, *, after: int) -> None:
        """The write, or sync, that follows ``after`` others."""
        self._fault, self._after = fault, after

    def heal(self) -> None:
        """No write fails that has not yet."""
        self._fault = None

    def end(self) -> None:
        """The process comes to its end, between two things that it asks for."""
        with self._in_turn:
            self.is_dead = True

    def left_by_a_kill(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self._directory.glob("*")}

    def left_by_a_power_cut(self) -> dict[str, bytes]:
        left = {name: data for name, data in self._gone.items() if self._chance.random() < 0.5}
        for file in self._directory.glob("*"):
            synced, now = self._synced.setdefault(file.name, bytearray()), file.read_bytes()
            synced.extend(bytes(max(0, len(now) - len(synced))))  # one that was cut short may be long on the disk
            left[file.name] = self._mixed(synced, now)
        return {name: bytes(data) for name, data in left.items()}

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """In the block it is asked for all files in its directory."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "open", self._opening(os.open))
            patched.setattr(os, "pwrite", self._writing(os.pwrite))
            patched.setattr(os, "write", self._appending(os.write))
            patched.setattr(os, "fsync", self._syncing(os.fsync))
            patched.setattr(os, "close", self._closing(os.close))
            patched.setattr(os, "unlink", self._unlinking(os.unlink))
            patched.setattr(os, "rename", self._renaming(os.rename))
            yield

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def open_(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            file = Path(os.fspath(path))
            is_here = self._directory in (file.parent, file)
            if is_here:
                self._check_alive()
            is_synced = is_here and flags & os.O_DSYNC == os.O_DSYNC
            descriptor = real(path, flags & ~os.O_DSYNC if is_here else flags, *rest, **named)
            if is_here:
                self._open[descriptor] = ("=" if is_synced else "") + (file.name if file != self._directory else "/")
            return descriptor

        return self._taking_turns(open_)

    def _writing(self, real: Callable[..., int]) -> Callable[..., int]:
        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            name = self._open.get(descriptor)
            if name is None:
                return real(descriptor, data, offset)
            self._check_alive()
            fault = self._due()
            is_whole = fault is None or (fault is Fault.END and self._chance.random() < 0.5)
            part = data if is_whole else data[: self._cut(len(data), offset)]
            if fault is Fault.SHORT:
                part = part or data
            if part:
                real(descriptor, part, offset)
            if name.startswith("="):
                self._sync(name[1:], part, offset, is_torn=fault in (Fault.ERROR, Fault.END))
            return self._answer(fault, len(part))

        return self._taking_turns(pwrite)

    def _appending(self, real: Callable[..., int]) -> Callable[..., int]:
        def write(descriptor: int, data: bytes) -> int:
            if descriptor not in self._open:
                return real(descriptor, data)
            self._check_alive()
            fault = self._due()
            part = data if fault is None else data[: max(1, self._chance.randrange(len(data) + 1))]
            real(descriptor, part)
            return self._answer(fault, len(part))

        return self._taking_turns(write)

    def _syncing(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            name = self._open.get(descriptor)
            if name is None:
                return real(descriptor)
            self._check_alive()
            if (fault := self._due()) is not None:
                self._answer(Fault.ERROR if fault is Fault.SHORT else fault, 0)
            if name == "/":
                self._gone.clear()
            else:
                name = name.removeprefix("=")
                self._synced[name] = bytearray((self._directory / name).read_bytes())
            return None

        return self._taking_turns(fsync)

    def _closing(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def close(descriptor: int) -> None:
            self._open.pop(descriptor, None)
            real(descriptor)

        return self._taking_turns(close)

    def _unlinking(self, real: Callable[..., None]) -> Callable[..., None]:
        def unlink(path: Any, **named: Any) -> None:
            file = Path(os.fspath(path))
            if file.parent == self._directory:
                self._check_alive()
                real(path, **named)
                self._gone[file.name] = self._synced.pop(file.name, bytearray())
            else:
                real(path, **named)

        return self._taking_turns(unlink)

    def _renaming(self, real: Callable[..., None]) -> Callable[..., None]:
        def rename(path: Any, target: Any) -> None:
            file = Path(os.fspath(path))
            if file.parent == self._directory:
                self._check_alive()
                real(path, target)
                name = Path(os.fspath(target)).name
                for descriptor, opened in self._open.items():
                    if opened == file.name:
                        self._open[descriptor] = name
                self._synced[name] = self._synced.pop(file.name, bytearray())
                self._gone.pop(name, None)
            else:
                real(path, target)

        return self._taking_turns(rename)

    def _cut(self, length: int, offset: int) -> int:
        """Where a write breaks off: between two sectors."""
        between = range(SECTOR_BYTES - offset % SECTOR_BYTES, length, SECTOR_BYTES)
        return self._chance.choice([0, *between])

    def _taking_turns(self, ask: Callable[..., Answer]) -> Callable[..., Answer]:
        def in_turn(*given: Any, **named: Any) -> Answer:
            with self._in_turn:
                return ask(*given, **named)

        return in_turn

    def _sync(self, name: str, part: bytes, offset: int, *, is_torn: bool) -> None:
        synced = self._synced.setdefault(name, bytearray())
        end = offset + len(part)
        synced.extend(bytes(max(0, end - len(synced))))
        if not is_torn:
            synced[offset:end] = part
            return
        now = bytearray(synced)
        now[offset:end] = part
        self._synced[name] = self._mixed(synced, bytes(now))

    def _mixed(self, before: bytearray, after: bytes) -> bytearray:
        """Each sector as it was before, or as it is after."""
        mixed = bytearray(before)
        for start in range(0, len(after), SECTOR_BYTES):
            sector = slice(start, start + SECTOR_BYTES)
            if before[sector] != after[sector] and self._chance.random() < 0.5:
                mixed[sector] = after[sector]
        return mixed

    def _due(self) -> Fault | None:
        if self._fault is None:
            return None
        self._after -= 1
        if self._after >= 0:
            return None
        fault, self._fault = self._fault, None
        return fault

    def _answer(self, fault: Fault | None, written: int) -> int:
        if fault is Fault.END:
            self.is_dead = True
        if fault in (Fault.ERROR, Fault.END):
            raise OSError(errno.EIO, "Input/output error")
        return written

    def _check_alive(self) -> None:
        if self.is_dead:
            raise OSError(errno.EIO, "Input/output error")
