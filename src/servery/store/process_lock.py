"""One platform to a data directory, one process to a spool: locks that the system releases when a process ends, however
it ends."""

import fcntl
import os
from pathlib import Path
from typing import Self

from servery.core.misconfigured import Misconfigured


class DirectoryLock:
    """Held from the beginning. Takes no file."""

    def __init__(self, directory: Path) -> None:
        """Raises BlockingIOError when another process holds the lock."""
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Releasing again changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ProcessLock:
    """Held inside a ``with`` block. Commands that only read or write the database do not take it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Raises Misconfigured when another process holds the lock."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise Misconfigured(f"{self._file.parent}: another servery is running on this data directory") from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
