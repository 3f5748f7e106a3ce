"""Files that are on the disk, with their names, once a call returns."""

import os
from pathlib import Path


def append_durably(file: Path, text: bytes) -> None:
    """Add ``text`` to the end of a file, which is made (0600) where it is missing. Raises OSError; then some of the
    text may be there."""
    is_new = not file.exists()
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while text:  # a disk that becomes full takes a part of it, and tells only whoever asks again
            text = text[os.write(descriptor, text) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_directory(file.parent)


def sync_directory(directory: Path) -> None:
    """The names in it are on the disk once it returns. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
