"""The spool: where postings are durable at once, on a disk of the gateway's own, on their way into the books.

    a response ends ──► spool (this disk, synced) ──► released
                          │
                          └──► feed ──► database, in order, once

It is a write-ahead log. What the books have taken is needed no more; where that is not known any more, because its
gateway was killed, it is fed again: a posting is idempotent by its request's id. What the books refuse is put aside.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from servery.core.errors import Overloaded
from servery.metering.lost_postings import LostPostings
from servery.metering.posting import Posting, encode_into
from servery.metering.posting_line import postings_of_lines
from servery.metering.refused_postings import RefusedPostings
from servery.metering.spool_progress import SpoolProgress, remove_progress
from servery.store.log_contents import gaps, log_files, read_log
from servery.store.log_limits import LogLimits
from servery.store.log_segment import Frame, remove_segments
from servery.store.process_lock import DirectoryLock
from servery.store.write_ahead_log import WriteAheadLog


class Spool:
    """Belongs to one process at a time. ``most``: how many postings it takes. ``memory``: how many are kept in memory
    until they are fed; what is beyond them is read from the disk when its turn comes. ``on_kept``: called when some
    have become durable."""

    def __init__(self, directory: Path, lock: DirectoryLock, *, most: int, limits: LogLimits, memory: int) -> None:
        """``Spool.open`` is how to get there."""
        self.directory = directory
        self._lock = lock
        self._most = most
        self._memory = memory
        self._line = bytearray()  # of the posting that came last
        self._remembered: deque[Posting] = deque()  # the oldest of those that are to be fed
        self._came_meanwhile: list[Posting] | None = None  # while older ones are read from the disk
        self._refused = RefusedPostings(directory)
        self._log: WriteAheadLog[Posting] = WriteAheadLog.open(directory, limits, self._durable)
        contents = read_log(directory)
        self._fed_to = contents.needed_from
        LostPostings(directory).add(contents.lost)
        self._progress = SpoolProgress(directory, kept_to=self._log.next_number, fed_to=self._fed_to)
        self.on_kept: Callable[[], None] = _nobody

    @classmethod
    def open(cls, directory: Path, *, most: int, limits: LogLimits | None = None, memory: int = 20_000) -> Self:
        """The spool in ``directory``, which is made (0700) where it is missing. Raises BlockingIOError where another
        process has it, and OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(directory)
        try:
            return cls(directory, lock, most=most, limits=limits or LogLimits(), memory=memory)
        except OSError:
            lock.release()
            raise

    @property
    def kept(self) -> int:
        """How many postings are here, or on their way here."""
        return self._log.appended_to - self._fed_to

    @property
    def kept_to(self) -> int:
        """The number after that of the last posting that was handed over to be kept."""
        return self._log.appended_to

    @property
    def fed_to(self) -> int:
        """The number of the first posting that is not in the books."""
        return self._fed_to

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be fed."""
        return self._fed_to == self._log.next_number

    @property
    def is_failing(self) -> bool:
        """Whether its last write failed, or its files are not where they should be."""
        return self._log.is_failing

    def look(self) -> None:
        """Find out soon whether it could be written, also while nothing is; not while its disk does not answer."""
        if not self._log.is_stalled:
            self._log.look()

    def takes(self, more: int) -> bool:
        """Whether its disk answers and there is room for so many more."""
        return self._log.appended_to - self._fed_to + more <= self._most and not self._log.is_stalled

    def keep(self, posting: Posting, *, is_patient: bool = False) -> asyncio.Future[None]:
        """What is returned is done when the posting is durable here; it fails as ``WriteAheadLog.append`` says, which
        also says what is raised. Raises Overloaded when the spool is full."""
        if self._log.appended_to - self._fed_to >= self._most:
            raise Overloaded("The spool of charges is full.", retry_after_s=1.0)
        encode_into(posting, self._line)
        return self._log.append(bytes(self._line), posting, is_patient=is_patient)

    async def oldest(self, most: int) -> list[Posting]:
        """Those that wait longest to be fed."""
        if not self._remembered and not self.is_empty:
            await self._recall()
        return list(itertools.islice(self._remembered, most))

    def fed(self, count: int) -> None:
        """So many of the oldest are in the books, or put aside."""
        remembered = self._remembered
        if count == len(remembered):
            remembered.clear()
        else:
            for _ in range(count):
                remembered.popleft()
        self._fed_to += count
        self._progress.fed(self._fed_to)
        self._log.need_from(self._fed_to)

    async def refuse(self, posting: Posting, reason: str) -> None:
        """The books do not take it: it is put aside, and ``verify`` tells of it. Raises OSError."""
        await asyncio.to_thread(self._refused.add, posting, reason)

    async def close(self) -> None:
        await self._log.close()
        self._progress.close()
        self._lock.release()

    def remove(self) -> None:
        """Take away the files of a spool that is closed and empty. What was put aside stays."""
        assert self.is_empty, "what waits is not thrown away"
        remove_segments(log_files(self.directory))
        remove_progress(self.directory)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    def _durable(self, postings: Sequence[Posting]) -> None:
        first = self._log.next_number - len(postings)
        if self._came_meanwhile is not None:
            self._came_meanwhile.extend(postings)
        elif self._fed_to + len(self._remembered) == first and len(self._remembered) < self._memory:
            self._remembered.extend(postings)
        self._progress.kept(self._log.next_number)
        self.on_kept()

    async def _recall(self) -> None:
        """Read from the disk those that are next. Raises OSError."""
        until, self._came_meanwhile = self._log.next_number, []
        try:
            frames = await asyncio.to_thread(self._read, range(self._fed_to, until))
        finally:
            came, self._came_meanwhile = self._came_meanwhile, None
        number = self._fed_to
        for frame in frames:
            if len(self._remembered) >= self._memory:
                break
            if frame.end <= number:
                continue
            if frame.first > number:  # what is between is lost, and written down
                if self._remembered:
                    break
                self._fed_to = number = frame.first
            self._remembered.extend(postings_of_lines(frame.payload)[number - frame.first :])
            number = frame.end
        if not self._remembered:
            self._fed_to = number = until
            self._progress.fed(until)
        if number == until:
            self._remembered.extend(came)

    def _read(self, wanted: range) -> list[Frame]:
        """The frames on the disk with postings of these numbers. What of them cannot be read is written down first, for
        it is passed over."""
        frames = [frame for frame in read_log(self.directory).frames if frame.first < wanted.stop]
        LostPostings(self.directory).add(gaps(frames, wanted))
        return frames


def _nobody() -> None: ...


def spool_directory(directory: Path, worker: int) -> Path:
    """Where the platform's worker of that number keeps its spool."""
    return directory / str(worker)


def spool_directories(directory: Path) -> list[Path]:
    """Those of all spools of a platform."""
    return sorted(each for each in directory.glob("*") if each.name.isdigit())


def orphaned_spools(directory: Path, *, workers: int) -> list[Path]:
    """The spools of workers that a platform with so many does not have: it had more before."""
    return [each for each in spool_directories(directory) if int(each.name) >= workers]
