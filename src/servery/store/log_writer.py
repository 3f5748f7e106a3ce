"""The thread that writes a log: one frame after the other, each on the disk before the next."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from servery.store.log_contents import segment_file
from servery.store.log_segment import LogSegment, make_segment

_SPARE: Final = 2
"""Segments that are kept for later use; after a time in which many were needed, the others are given back."""

Done = Callable[[OSError | None], None]


class LogWriter:
    """Owns the segments in a directory. Methods but ``_run`` and what it calls are for the event loop's thread."""

    def __init__(self, directory: Path, segments: list[LogSegment], *, segment_bytes: int, needed_from: int) -> None:
        """``segments`` are all that there are; what is in them is needed up to their ``end``."""
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
            error: OSError | None = None
            try:
                self._append(first, count, payload)
            except OSError as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(done, error)
            except RuntimeError:
                # The loop ended without closing the log: nobody is left who could be told.
                assert loop.is_closed()

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

    def _run(self) -> None:
        while job := self._jobs.get():
            job()

    def _append(self, first: int, count: int, payload: bytes) -> None:
        if self._current is None or not self._current.has_room(len(payload)):
            self._current = self._unused()
        self._current.append(first, count, payload, needed_from=self._needed_from)

    def _unused(self) -> LogSegment:
        for segment in self._segments:
            if segment is not self._current and segment.end <= self._needed_from:
                segment.use_again()
                return segment
        taken = {segment.file for segment in self._segments}
        number = next(n for n in range(1, len(taken) + 2) if segment_file(self._directory, n) not in taken)
        file = segment_file(self._directory, number)
        make_segment(file, self._segment_bytes)
        segment = LogSegment(file)
        self._segments.append(segment)
        return segment

    def _free(self, number: int) -> None:
        self._needed_from = number
        # The newest, written by this owner or an earlier one, stays whatever is needed of it: it says from which number
        # on entries are needed, and so with which one the next owner begins.
        newest = max(self._segments, key=lambda one: one.end)
        unused = [one for one in self._segments if one.end <= number and one is not newest and one is not self._current]
        given_back = unused[_SPARE:]
        if newest.end > 0:
            newest.mark_needed(number, on_disk=bool(given_back))  # before what it says is needed no more is gone
        for segment in given_back:
            self._segments.remove(segment)
            segment.close()
            segment.file.unlink()
