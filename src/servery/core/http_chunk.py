"""Chunks of HTTP's chunked coding, and the lines before them, which tell their sizes. Needed twice for each token."""

from typing import Final

_KNOWN_BELOW: Final = 2_048

_LINES: Final = [b"%x\r\n" % size for size in range(_KNOWN_BELOW)]
_BY_WHOLE: Final[list[bytes | None]] = [None] * _KNOWN_BELOW
"""By the bytes that a chunk has with its line and its end."""
for _size, _line in enumerate(_LINES[1:], start=1):
    if (_whole := len(_line) + _size + 2) < _KNOWN_BELOW:
        _BY_WHOLE[_whole] = _line


_SIZES: Final = {line[:-2]: size for size, line in enumerate(_LINES)}


def size_of(line: bytes) -> int | None:
    """The size that a line without its end tells, where it is not large, and written as nearly everybody writes it."""
    return _SIZES.get(line)


def size_line(size: int) -> bytes:
    """Before a chunk of ``size`` bytes."""
    return _LINES[size] if size < _KNOWN_BELOW else b"%x\r\n" % size


def content_of(data: bytes) -> bytes | None:
    """What ``data`` holds, where it is one whole chunk, not too long, and written as nearly everybody writes them."""
    whole = len(data)
    if whole >= _KNOWN_BELOW:
        return None
    line = _BY_WHOLE[whole]
    if line is None or not (data.startswith(line) and data.endswith(b"\r\n")):
        return None
    return data[len(line) : -2]
