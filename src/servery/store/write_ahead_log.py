"""A write-ahead log: entries are durable some milliseconds after they came, for the price of one wait for the disk.

    tasks    a  b  c        d  e  f  g                  each awaits its future
    thread   [ a b c ] sync  [ d e f g ] sync           one frame, one wait for the disk
    loop                   ^ a b c are durable          one call for all of them

The disk is waited for in a thread, so that a slow one never stops the event loop. Who writes alone is written at once;
while several write, frames are kept apart until as many have come as can be expected, some milliseconds at most
(``company``): what one costs hardly depends on how many share it. Who is patient waits some milliseconds for company
from the first, and is company for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

from servery.core.errors import InternalError, Overloaded
from servery.store.company import Company
from servery.store.log_contents import LogContents, log_files, read_log, segment_file
from servery.store.log_limits import LogLimits
from servery.store.log_segment import FRAME_BYTES, LogSegment, make_segment
from servery.store.log_writer import LogWriter

Item = TypeVar("Item")

_SEGMENTS: Final = 2
_HEADROOM_BYTES: Final = 4_096


class _Frame(Generic[Item]):
    """Entries that become durable together: the text of each, what it stands for, and who waits for it. ``size`` is
    that of the texts in one piece, in bytes; ``pressing``: how many are not patient."""

    __slots__ = ("futures", "items", "pressing", "size", "texts")

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.items: list[Item] = []
        self.futures: list[asyncio.Future[None]] = []
        self.size = 0
        self.pressing = 0

    def add(self, text: bytes, item: Item, future: asyncio.Future[None]) -> None:
        self.texts.append(text)
        self.items.append(item)
        self.futures.append(future)
        self.size += len(text) + 1

    def fail(self, error: Callable[[], Exception]) -> None:
        for future in self.futures:
            if not future.done():
                future.set_exception(error())


class WriteAheadLog(Generic[Item]):
    """Belongs to one process and one event loop. Entries are numbered in the order in which they came; what comes of an
    entry that was refused is not numbered. ``on_durable`` is called with the items of a frame, before their callers
    hear of it."""

    def __init__(
        self,
        directory: Path,
        limits: LogLimits,
        segments: list[LogSegment],
        contents: LogContents,
        on_durable: Callable[[Sequence[Item]], None],
    ) -> None:
        """``WriteAheadLog.open`` is how to get there."""
        self._limits = limits
        self._frame_bytes = limits.frame_bytes
        self._on_durable = on_durable
        self.next_number = contents.end
        """That of the next entry that becomes durable."""
        self.appended_to = contents.end
        """The same, once all that was appended is durable."""
        self.is_failing = False
        """Whether the last write failed, or the files were not where they should be when they were last looked for."""
        self._gathered: deque[_Frame[Item]] = deque()
        self._last: _Frame[Item] | None = None  # of those that are gathered
        self._in_hand: _Frame[Item] | None = None
        self._handed_over_s = 0.0
        self._company = Company(limits.gather_s)
        self._handover: asyncio.Handle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._drained: asyncio.Future[None] | None = None
        for segment in segments:
            segment.end = contents.end_by_file[segment.file]
        self._writer = LogWriter(
            directory, segments, segment_bytes=limits.segment_bytes, needed_from=contents.needed_from
        )

    @classmethod
    def open(cls, directory: Path, limits: LogLimits, on_durable: Callable[[Sequence[Item]], None]) -> Self:
        """The log in ``directory``, which is made (0700) where it is missing. Raises OSError."""
        assert limits.frame_bytes + FRAME_BYTES + _HEADROOM_BYTES <= limits.segment_bytes, "a frame fits in a segment"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, _SEGMENTS + 1):
            if not segment_file(directory, number).exists():
                make_segment(segment_file(directory, number), limits.segment_bytes)
        segments = [LogSegment(file) for file in log_files(directory)]
        for segment in segments:
            segment.sync()  # what is found now, in the system's memory perhaps, is found by those who come later
        return cls(directory, limits, segments, read_log(directory), on_durable)

    @property
    def is_stalled(self) -> bool:
        """Whether the disk takes longer than it ever should."""
        if self._in_hand is None:
            return False
        assert self._loop is not None, "whoever appended ran on a loop"
        return self._loop.time() - self._handed_over_s > self._limits.stall_s

    def append(self, text: bytes, item: Item, *, is_patient: bool = False) -> asyncio.Future[None]:
        """``text``, of one line, becomes part of a frame. What is returned is done once it is on the disk; it fails
        with InternalError when it could not be written, and with Overloaded when the disk has not answered in time (it
        may be written yet). ``is_patient``: it may wait for ``gather_s`` while it is alone. Raises Overloaded while
        closing, and InternalError when the text is too long."""
        loop = self._loop or self._running_loop()
        if self._closing:
            raise Overloaded("The log is being closed.")
        frame = self._last
        if frame is None or frame.size + len(text) >= self._frame_bytes:
            frame = self._begin_frame(text)
        future: asyncio.Future[None] = loop.create_future()
        frame.add(text, item, future)
        self.appended_to += 1
        comes_sooner = False
        if not is_patient:
            company = self._company
            frame.pressing += 1
            comes_sooner = frame.pressing in (1, company.enough)
            if company.is_counting:
                company.came_s = loop.time()
        if self._in_hand is None and (comes_sooner or self._handover is None):
            self._schedule(loop, patient_since_s=loop.time())
        return future

    def look(self) -> None:
        """Find out soon whether it could be written, also while nothing is."""
        if not self._closing:
            self._writer.look(self._loop or self._running_loop(), self._looked, is_failing=self.is_failing)

    def need_from(self, number: int) -> None:
        """Entries before ``number`` are needed no more."""
        self._writer.need_from(number)

    async def close(self) -> None:
        """Write what is gathered, then end the thread. What comes later is refused."""
        self._closing = True
        if self._gathered or self._in_hand is not None:
            assert self._loop is not None, "whoever appended ran on a loop"
            self._drained = self._drained or self._loop.create_future()
            if self._in_hand is None:
                self._hand_over()
            await self._drained
        if self._expiry is not None:
            self._expiry.cancel()
        await self._writer.end()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _begin_frame(self, text: bytes) -> _Frame[Item]:
        """One that ``text`` fits in."""
        if len(text) > self._frame_bytes:
            raise InternalError("An entry does not fit in the log.")
        frame = self._last = _Frame()
        self._gathered.append(frame)
        return frame

    def _schedule(self, loop: asyncio.AbstractEventLoop, *, patient_since_s: float) -> None:
        """``patient_since_s``: since when the first waits where all are patient."""
        if self._handover is not None:
            self._handover.cancel()
        pressing, company = self._gathered[0].pressing, self._company
        due_s = company.due_s if pressing else patient_since_s + self._limits.gather_s
        if pressing >= company.enough or due_s <= loop.time():
            # Soon, not now: what else comes in this round of the loop comes along.
            self._handover = loop.call_soon(self._hand_over)
        else:
            self._handover = loop.call_at(due_s, self._hand_over)

    def _hand_over(self) -> None:
        """Give the thread the next frame."""
        assert self._loop is not None, "whoever appended ran on a loop"
        if self._handover is not None:
            self._handover.cancel()
            self._handover = None
        if self._in_hand is not None or not self._gathered:
            return
        frame = self._in_hand = self._gathered.popleft()
        if not self._gathered:
            self._last = None
        self._handed_over_s = self._loop.time()
        self._company.went(frame.pressing, self._handed_over_s)
        if self._expiry is None:  # it outlives frames: a timer for each of them would cost more than their bookkeeping
            self._expiry = self._loop.call_later(self._limits.timeout_s, self._look_for_overdue)
        self._writer.write(self.next_number, len(frame.texts), b"\n".join(frame.texts), self._loop, self._written)

    def _written(self, error: Exception | None) -> None:
        """On the event loop: tell all of a frame, and begin the next."""
        assert self._loop is not None, "whoever appended ran on a loop"
        frame, self._in_hand = self._in_hand, None
        assert frame is not None, "what was written was in hand"
        self.is_failing = error is not None
        count = len(frame.items)
        if error is None:
            self.next_number += count
            self._on_durable(frame.items)
            for future in frame.futures:
                if not future.done():
                    future.set_result(None)
        else:
            self.appended_to -= count
            frame.fail(partial(_unwritten, error))
        if self._gathered and self._closing:
            self._hand_over()
        elif self._gathered:
            self._schedule(self._loop, patient_since_s=self._handed_over_s)
        elif self._drained is not None:
            self._drained.set_result(None)

    def _looked(self, error: Exception | None) -> None:
        self.is_failing = error is not None

    def _look_for_overdue(self) -> None:
        """Whether the frame in hand waits for too long; it may be a later one than that for which the look was due."""
        assert self._loop is not None, "whoever appended ran on a loop"
        self._expiry = None
        if self._in_hand is None:
            return
        left_s = self._handed_over_s + self._limits.timeout_s - self._loop.time()
        if left_s <= 0:
            self._refuse_overdue(self._in_hand)
            left_s = self._limits.timeout_s
        self._expiry = self._loop.call_later(left_s, self._look_for_overdue)

    def _refuse_overdue(self, in_hand: _Frame[Item]) -> None:
        """The disk does not answer: refuse all that wait for it. What is in hand may be written yet."""
        in_hand.fail(_unanswered)
        for frame in self._gathered:
            frame.fail(_unanswered)
            self.appended_to -= len(frame.items)
        self._gathered.clear()
        self._last = None


def _unanswered() -> Overloaded:
    return Overloaded("The disk does not answer, please try again.", retry_after_s=1.0)


def _unwritten(cause: Exception) -> InternalError:
    error = InternalError("The log could not be written.")
    error.__cause__ = cause
    return error
