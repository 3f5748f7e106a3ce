"""The lines of a trace file, with the place of each for faults."""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from servery.core.misconfigured import Misconfigured

MOST_LINE_BYTES = 1_048_576
MOST_TOKENS = 10_000_000
_GZIP = b"\x1f\x8b"
LONGEST_TRACE_S = 366 * 86_400.0


class Line:
    """``text`` as it stands on ``number``, counted from 1."""

    __slots__ = ("_file", "number", "text")

    def __init__(self, file: Path, number: int, text: bytes) -> None:
        self._file = file
        self.number = number
        self.text = text

    def fault(self, message: str) -> Misconfigured:
        """To be raised: the line cannot be used."""
        return Misconfigured(f"{self._file}:{self.number}: {message}")


def lines_of(file: Path) -> Iterator[Line]:
    """The lines that are not blank, of a file that may be packed by gzip. Raises Misconfigured for a file that cannot
    be read, or a line beyond a MiB."""
    try:
        with _opened(file) as opened:
            number = 0
            while text := opened.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(text) > MOST_LINE_BYTES:
                    raise Misconfigured(f"{file}:{number}: longer than {MOST_LINE_BYTES} bytes")
                if number == 1:
                    text = text.removeprefix(BOM_UTF8)
                if text.strip():
                    yield Line(file, number, text.strip())
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured(f"{file}: cannot be read: {error}") from error


def _opened(file: Path) -> BinaryIO:
    with file.open("rb") as opened:
        is_packed = opened.read(len(_GZIP)) == _GZIP
    return cast(BinaryIO, gzip.open(file)) if is_packed else file.open("rb")
