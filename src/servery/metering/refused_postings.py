"""Postings that the books did not take: put aside in a file beside the spool, for somebody to look at."""

import os
from pathlib import Path
from typing import Final

import msgspec

from servery.metering.posting import Posting
from servery.metering.posting_line import PostingLine

_FILE: Final = "refused.jsonl"


class RefusedPosting(msgspec.Struct, frozen=True):
    """``reason``: what the books had against it."""

    reason: str
    posting: PostingLine


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(RefusedPosting)


class RefusedPostings:
    """Those of one spool. One process adds to them; others may read."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / _FILE

    def add(self, posting: Posting, reason: str) -> None:
        """On the disk once it returns. Raises OSError."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"\n" + _encode(RefusedPosting(reason, PostingLine(*posting))))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> list[RefusedPosting]:
        """All that were added, each once. What a killed process has written half of is passed
        over: it is added again."""
        found: dict[str, RefusedPosting] = {}
        for line in self._file.read_bytes().splitlines() if self._file.exists() else ():
            try:
                refused: RefusedPosting = _decoder.decode(line)
            except msgspec.DecodeError:
                continue
            found[refused.posting.request_id] = refused
        return list(found.values())
