"""A file that is open, and should stand where it was opened: one that was deleted or replaced takes what is written to
it along, and no write ever tells."""

import errno
from pathlib import Path


class KeptFile:
    """``file`` exists when this is made. Raises OSError."""

    __slots__ = ("_file", "_identity")

    def __init__(self, file: Path) -> None:
        self._file = file
        self._identity = _identity(file)

    def check(self) -> None:
        """Raises OSError when it stands there no more: a microsecond."""
        if _identity(self._file) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "was replaced by another file", str(self._file))

    @property
    def is_in_place(self) -> bool:
        try:
            self.check()
        except OSError:
            return False
        return True


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino
