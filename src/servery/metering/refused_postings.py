"""Postings that the books did not take: put aside in a file beside the spool, for somebody to look at."""

from pathlib import Path
from typing import Final

import msgspec

from servery.metering.posting import Posting
from servery.metering.posting_line import PostingLine
from servery.store.durable_file import append_durably

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
        append_durably(self._file, b"\n" + _encode(RefusedPosting(reason, PostingLine(*posting))))

    def read(self) -> list[RefusedPosting]:
        """All that were added, each once. What a killed process has written half of is passed
        over: it is added again."""
        found: dict[RefusedPosting, None] = {}
        for line in self._file.read_bytes().splitlines() if self._file.exists() else ():
            try:
                refused: RefusedPosting = _decoder.decode(line)
            except msgspec.DecodeError:
                continue
            found[refused] = None
        return list(found)
