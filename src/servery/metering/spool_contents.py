"""What is in the spools of a platform, as somebody else reads it while the platform may be running."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

from servery.metering.lost_postings import LostPostings
from servery.metering.posting import NANODOLLARS, REQUEST_ID, Posting
from servery.metering.posting_line import postings_of_lines
from servery.metering.refused_postings import RefusedPostings
from servery.metering.spool import spool_directories
from servery.store.connection import Connection
from servery.store.log_contents import read_log
from servery.store.sql import load_queries


class SpoolContents(msgspec.Struct, frozen=True, kw_only=True):
    """Charges that are not in the books yet; ``refused``: those among them that the books did not take. ``lost``: how
    many more were kept and cannot be read, which must not be."""

    requests: int = 0
    nanodollars: int = 0
    refused: int = 0
    lost: int = 0


class SpooledPostings:
    """All that the spools hold. Some of it may be in the books already, the more so after a moment."""

    def __init__(self, waiting: Mapping[str, Posting], refused_nanodollars: Sequence[int], *, lost: int) -> None:
        self._waiting = waiting
        self._refused_nanodollars = refused_nanodollars
        self._lost = lost

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Those of the platform whose spools lie in ``directory``. To be called before the books are looked at, so that
        a posting is seen in one of the two places at least."""
        waiting: dict[str, Posting] = {}
        refused: list[int] = []
        lost = 0
        for place in spool_directories(directory):
            log = read_log(place)
            for frame in log.frames:
                postings = postings_of_lines(frame.payload)[max(0, log.needed_from - frame.first) :]
                waiting |= {posting[REQUEST_ID]: posting for posting in postings}
            for each in RefusedPostings(place).read():
                refused.append(each.posting.charge_nanodollars)
                posting = msgspec.structs.astuple(each.posting)
                if waiting.get(posting[REQUEST_ID]) == posting:  # put aside, and not yet taken out of the log
                    del waiting[posting[REQUEST_ID]]
            lost += sum(map(len, {*log.lost, *LostPostings(place).read()}))
        return cls(waiting, refused, lost=lost)

    def posted_in(self, connection: Connection) -> list[str]:
        """Those of the requests that wait which are in the books."""
        sql = load_queries("servery.metering", "usage_table.sql")["posted_usage"]
        ids = msgspec.json.encode(list(self._waiting)).decode()
        return [row[0] for row in connection.execute(sql, {"request_ids": ids}).fetchall()]

    def without(self, posted: Iterable[str]) -> SpoolContents:
        """What is there beside those requests that are posted."""
        in_books = set(posted)
        left = {name: posting[NANODOLLARS] for name, posting in self._waiting.items() if name not in in_books}
        amounts = [*left.values(), *self._refused_nanodollars]
        return SpoolContents(
            requests=len(amounts), nanodollars=sum(amounts), refused=len(self._refused_nanodollars), lost=self._lost
        )
