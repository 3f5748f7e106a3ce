"""The thread that writes a log: one frame after the other, each on the disk before the next."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from servery.core.tell_loop import tell_loop
from servery.store.log_contents import segment_file
from servery.store.log_segment import LogSegment, make_segment
from servery.store.transaction import Attempt

_SPARE: Final = 2
"""Segments that are kept for later use; after a time in which many were needed, the others are given back."""

Done = Callable[[Exception | None], None]


class LogWriter:
    """Owns the segments in a directory. Methods but ``_run`` and what it calls are for the event loop's thread."""

    def __init__(self, directory: Path, segments: list[LogSegment], *, segment_bytes: int, needed_from: int) -> None:
        """``segments`` are all that there are, with their ``end``."""
        self._directory = directory
        self._segments = segments
        self._segment_bytes = segment_bytes
        self._needed_from = needed_from
        self._current: LogSegment | None = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._running = threading.Thread(target=self._run, name="servery-log-writer", daemon=True)
        self._running.start()

    def write(self, first: int, count: int, payload: bytes, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Write a frame; then ``done`` is called on ``loop``, with the error where it is not on the disk."""

        def job() -> None:
            with Attempt() as attempt:  # whatever goes wrong: who waits for the disk is told
                self._append(first, count, payload)
            self._tell(loop, done, attempt.error)

        self._jobs.put(job)

    def look(self, loop: asyncio.AbstractEventLoop, done: Done, *, is_failing: bool) -> None:
        """Whether all segments are where they were, and, after a write that failed, whether one can be written; then
        ``done`` is called on ``loop``, with the error where that is not so."""

        def job() -> None:
            with Attempt() as attempt:
                newest = self._newest()
                for segment in self._segments:
                    segment.check(needed_from=self._needed_from if is_failing and segment is newest else None)
            self._tell(loop, done, attempt.error)

        self._jobs.put(job)

    def need_from(self, number: int) -> None:
        """What has a lower number is needed no more."""
        self._jobs.put(lambda: self._free(number))

    async def end(self) -> None:
        """Once all that was asked for is done. Ending again changes nothing."""
        self._jobs.put(None)
        await asyncio.to_thread(self._running.join)
        segments, self._segments = self._segments, []
        for segment in segments:
            segment.close()

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, done: Done, error: Exception | None) -> None:
        tell_loop(loop, lambda: done(error))

    def _run(self) -> None:
        while job := self._jobs.get():
            job()

    def _append(self, first: int, count: int, payload: bytes) -> None:
        if self._current is None or not self._current.has_room(len(payload)):
            if self._current is not None and self._current.is_in_doubt:
                self._current.clear_doubt()
            self._current = self._unused()
        self._current.append(first, count, payload, needed_from=self._needed_from)

    def _unused(self) -> LogSegment:
        newest = self._newest()
        for segment in self._segments:
            if segment is not self._current and segment is not newest and segment.end <= self._needed_from:
                newest.mark_needed(self._needed_from, on_disk=True)  # before what is needed no more is written over
                segment.use_again()
                return segment
        taken = {segment.file for segment in self._segments}
        number = next(n for n in range(1, len(taken) + 2) if segment_file(self._directory, n) not in taken)
        file = segment_file(self._directory, number)
        make_segment(file, self._segment_bytes)
        segment = LogSegment(file)
        self._segments.append(segment)
        return segment

    def _newest(self) -> LogSegment:
        """Written by this owner or an earlier one. It stays whatever is needed of it, and is not written over before
        there is a newer one: it says from which number on entries are needed, and so with which one the next owner
        begins."""
        return max(self._segments, key=lambda one: one.end)

    def _free(self, number: int) -> None:
        self._needed_from = number
        newest = self._newest()
        unused = [one for one in self._segments if one.end <= number and one is not newest and one is not self._current]
        given_back = unused[_SPARE:]
        # Where the disk fails, more is read than needed, or kept: no harm is done, and the next call tries again.
        with contextlib.suppress(OSError):
            newest.mark_needed(number, on_disk=bool(given_back))  # before what it says is needed no more is gone
            for segment in given_back:
                segment.file.unlink(missing_ok=True)
                self._segments.remove(segment)
                segment.close()
