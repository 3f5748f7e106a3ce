"""The write-ahead log: what was told to be durable is read again, once, whatever was cut or changed."""

import asyncio
import contextlib
import errno
import os
import random
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.fake_disk import FakeDisk, Fault

from servery.core.errors import InternalError, Overloaded
from servery.store.log_contents import LogContents, log_files, read_log
from servery.store.log_limits import LogLimits
from servery.store.log_segment import frames, make_segment
from servery.store.write_ahead_log import WriteAheadLog

SMALL = LogLimits(gather_s=0.0, segment_bytes=8_192, frame_bytes=1_024)


def open_log(directory: Path, limits: LogLimits = SMALL) -> tuple[WriteAheadLog[str], list[str]]:
    durable: list[str] = []
    return WriteAheadLog.open(directory, limits, durable.extend), durable


def entries(contents: LogContents) -> list[str]:
    found = []
    for frame in contents.frames:
        lines = frame.payload.decode().split("\n")
        assert len(lines) == frame.count
        found += lines[max(0, contents.needed_from - frame.first) :]
    return found


def append(log: WriteAheadLog[str], *texts: str) -> "asyncio.Future[list[None]]":
    return asyncio.gather(*(log.append(text.encode(), text) for text in texts))


async def many_turns() -> None:
    """Of the loop: whatever does not wait for a time is done."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_was_told_is_read_again(tmp_path: Path) -> None:
    """In its order, by another reader while the log is open, and by the next to open it, who numbers on."""
    log, durable = open_log(tmp_path)
    await append(log, "a", "b")
    await append(log, "c")
    assert durable == ["a", "b", "c"]
    assert entries(read_log(tmp_path)) == ["a", "b", "c"]
    await log.close()
    log, _ = open_log(tmp_path)
    assert log.next_number == 3
    await append(log, "d")
    assert entries(read_log(tmp_path)) == ["a", "b", "c", "d"]
    await log.close()


async def test_who_takes_over_forgets_too(tmp_path: Path) -> None:
    """What a killed owner has left and its successor does not need is not read again, though that wrote nothing."""
    log, _ = open_log(tmp_path)
    await append(log, "a", "b")
    await log.close()
    log, _ = open_log(tmp_path)
    log.need_from(1)
    await log.close()
    assert entries(read_log(tmp_path)) == ["b"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_mixture_of_appending_forgetting_and_reopening(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is needed is there, and nothing else; segments that are not needed are used again."""
    directory = tmp_path_factory.mktemp("log")
    log, _ = open_log(directory)
    written: list[str] = []
    needed_from = 0
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.sampled_from(["append", "append", "forget", "reopen"]))
        if step == "append":
            lengths = data.draw(st.lists(st.integers(1, 900), min_size=1, max_size=5))
            texts = [f"{len(written) + place}-".ljust(length, "x") for place, length in enumerate(lengths)]
            await append(log, *texts)
            written += texts
        elif step == "forget":
            needed_from = data.draw(st.integers(needed_from, len(written)))
            log.need_from(needed_from)
        else:
            await log.close()
            log, _ = open_log(directory)
            assert log.next_number == len(written)
    log.need_from(len(written) if not written else needed_from)
    await log.close()
    contents = read_log(directory)
    # What a kill makes it forget that something is not needed is needed again; it is never the other way round.
    assert contents.needed_from <= needed_from
    assert entries(contents) == written[contents.needed_from :]
    assert not contents.lost


async def test_segments_are_given_back(tmp_path: Path) -> None:
    """A log takes the room that what is needed takes, and keeps a little for what comes next."""
    log, _ = open_log(tmp_path)
    for number in range(60):
        await append(log, f"{number}".ljust(1_000, "x"))
    assert len(log_files(tmp_path)) > 6
    log.need_from(60)
    await append(log, "last")
    await log.close()
    assert len(log_files(tmp_path)) == 3
    assert entries(read_log(tmp_path)) == ["last"]


async def test_numbers_go_on_when_all_is_forgotten_before_anything_is_written(tmp_path: Path) -> None:
    """Each owner takes a segment of its own while nothing is forgotten. When one forgets all of it and writes nothing,
    segments are given back, but not the newest: the next owner would use numbers that were used."""
    for owner in range(1, 6):
        log, _ = open_log(tmp_path)
        await append(log, f"{owner}")
        await log.close()
    log, _ = open_log(tmp_path)
    log.need_from(5)
    await log.close()
    assert len(log_files(tmp_path)) == 3
    log, _ = open_log(tmp_path)
    assert log.next_number == 5
    await log.close()
    assert entries(read_log(tmp_path)) == []


def files_of(directory: Path) -> list[tuple[Path, bytes]]:
    """The segments, the one with the most in it first."""
    files = [(file, file.read_bytes()) for file in log_files(directory)]
    return sorted(files, key=lambda each: len(each[1].rstrip(b"\0")), reverse=True)


async def test_a_torn_end_is_passed_over(tmp_path: Path) -> None:
    """Wherever the last frame was cut, all before it is read, and nothing is said to be lost: nobody was told of it."""
    log, _ = open_log(tmp_path)
    await append(log, "a", "b")
    before = files_of(tmp_path)[0][1].rstrip(b"\0")
    await append(log, "c" * 50, "d")
    await log.close()
    (file, data), *others = files_of(tmp_path)
    for cut in range(len(before), len(data.rstrip(b"\0"))):
        contents = LogContents([(file, data[:cut].ljust(len(data), b"\0")), *others])
        assert entries(contents) == ["a", "b"]
        assert not contents.lost


async def test_what_the_disk_changed_is_told_of(tmp_path: Path) -> None:
    """A byte of a frame in the middle is another: what it held is lost, what stands before and after it is read."""
    log, _ = open_log(tmp_path)
    for text in ("first", "second", "third"):
        await append(log, text)
    await log.close()
    (file, data), *others = files_of(tmp_path)
    at = data.index(b"second")
    for place in (at, at - 4, at - 8, at - 20, at - 24):  # payload, checksum, count, length, magic
        changed = bytearray(data)
        changed[place] ^= 0x41
        contents = LogContents([(file, bytes(changed)), *others])
        assert entries(contents) == ["first", "third"]
        assert contents.lost == [range(1, 2)]


def test_frames_of_earlier_versions_are_read() -> None:
    """They have another checksum, by which they are told from what was written in part."""
    payload = b"first\nsecond"
    head = struct.pack("<4sIQI", b"\xf7LOG", len(payload), 7, 2)
    frame = head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload
    found = [(each.first, each.count, each.payload) for each in frames(bytes(64) + frame + frame[:-1] + b"x")]
    assert found == [(7, 2, payload)]


async def test_a_header_that_the_disk_changed_loses_nothing(tmp_path: Path) -> None:
    """Then more is read than is needed."""
    log, _ = open_log(tmp_path)
    await append(log, "a", "b")
    log.need_from(1)
    await log.close()
    (file, data), *others = files_of(tmp_path)
    contents = LogContents([(file, b"x" * 64 + data[64:]), *others])
    assert entries(contents) == ["a", "b"]


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def write(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", write)
        yield


async def test_a_full_disk_fails_those_that_come_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is neither told of as durable nor read later; what comes afterwards is."""
    log, durable = open_log(tmp_path)
    await append(log, "a")
    with full_disk(monkeypatch), pytest.raises(InternalError):
        await append(log, "b")
    await append(log, "c")
    await log.close()
    assert durable == ["a", "c"]
    assert entries(read_log(tmp_path)) == ["a", "c"]
    assert not read_log(tmp_path).lost


async def test_a_fault_while_writing_is_told_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is, the thread goes on: else the end would wait for ever."""

    def write(descriptor: int, data: bytes, offset: int) -> int:
        raise ValueError

    log, durable = open_log(tmp_path)
    async with asyncio.timeout(60):
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", write)
            with pytest.raises(InternalError):
                await append(log, "a")
        await append(log, "b")
        await log.close()
    assert durable == ["b"]


async def test_a_disk_that_does_not_answer_holds_up_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop goes on, the log says that it is stalled, and who waits is refused in time."""
    limits = LogLimits(gather_s=0.0, timeout_s=1.5, stall_s=0.2, segment_bytes=8_192, frame_bytes=1_024)
    log, durable = open_log(tmp_path, limits)
    answers = threading.Event()
    write = os.pwrite

    def slow(descriptor: int, data: bytes, offset: int) -> int:
        answers.wait()
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    in_hand = append(log, "a")
    await asyncio.sleep(0.3)
    gathered = append(log, "b")
    assert log.is_stalled
    for waiting in (in_hand, gathered):
        with pytest.raises(Overloaded):
            await waiting
    answers.set()
    await append(log, "c")
    assert durable == ["a", "c"]  # one was on its way
    await log.close()


async def test_the_watch_over_one_frame_leaves_the_next_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look for overdue frames serves many: who came since has its whole time from when it was handed over."""
    limits = LogLimits(gather_s=0.0, timeout_s=10.0, segment_bytes=8_192, frame_bytes=1_024)
    log, durable = open_log(tmp_path, limits)
    now_s, answers, write = 0.0, threading.Event(), os.pwrite
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
    await append(log, "a")  # the look is due at 10

    def slow(descriptor: int, data: bytes, offset: int) -> int:
        answers.wait()
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    now_s = 9.0
    in_hand = append(log, "b")
    for at_s in (9.0, 10.5, 18.5):
        now_s = at_s
        for _ in range(5):
            await asyncio.sleep(0)
        assert not in_hand.done()
    now_s = 19.5
    with pytest.raises(Overloaded):
        await in_hand
    answers.set()
    await append(log, "c")
    assert durable == ["a", "b", "c"]
    await log.close()


async def test_frames_are_bounded(tmp_path: Path) -> None:
    """However much comes at once; what is too long for one is refused alone."""
    log, _ = open_log(tmp_path)
    with pytest.raises(InternalError):
        log.append(b"x" * 1_025, "x")
    texts = [str(number).ljust(400, "x") for number in range(30)]
    await append(log, *texts)
    await log.close()
    assert entries(read_log(tmp_path)) == texts
    assert all(len(frame.payload) <= SMALL.frame_bytes for frame in read_log(tmp_path).frames)


async def test_who_leaves_while_waiting_changes_nothing(tmp_path: Path) -> None:
    """An entry that was handed over is written."""
    log, durable = open_log(tmp_path)
    leaving = log.append(b"a", "a")
    leaving.cancel()
    await append(log, "b")
    await log.close()
    assert durable == ["a", "b"]


async def test_who_is_patient_waits_for_company(tmp_path: Path) -> None:
    """And comes into the same frame as who is not, who waits for nobody."""
    log, durable = open_log(tmp_path, LogLimits(gather_s=3_600.0))
    patient = [log.append(text.encode(), text, is_patient=True) for text in "ab"]
    await asyncio.sleep(0.01)
    assert durable == []
    await append(log, "c")
    await asyncio.gather(*patient)
    assert durable == ["a", "b", "c"]
    assert [frame.count for frame in read_log(tmp_path).frames] == [3]
    await log.close()


async def test_company_that_has_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four that write again and again: the whole time is waited once, to see that there are no more."""
    log, durable = open_log(tmp_path, LogLimits(gather_s=5.0))
    now_s = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
    await append(log, *"abcd")
    now_s += 0.001
    counted = append(log, *"efgh")
    await many_turns()
    assert not counted.done(), "more could come"
    now_s += 5.0
    await counted
    for four in ("ijkl", "mnop"):
        now_s += 0.001
        await append(log, *four)
    late = append(log, *"qrs")
    await many_turns()
    assert not late.done(), "one is missing"
    now_s += 5.0
    await late
    assert "".join(durable) == "abcdefghijklmnopqrs"
    assert [frame.count for frame in read_log(tmp_path).frames] == [4, 4, 4, 4, 3]
    await log.close()


async def test_who_is_patient_is_company_for_nobody(tmp_path: Path) -> None:
    """Who comes alone after any number of them does not wait."""
    log, durable = open_log(tmp_path, LogLimits(gather_s=3_600.0))
    for text in "123":
        patient = [log.append(text.encode(), text, is_patient=True) for text in "abc"]
        await append(log, text)
        await asyncio.gather(*patient)
    assert "".join(durable) == "abc1abc2abc3"
    await log.close()


async def test_patience_ends(tmp_path: Path) -> None:
    """After the time in which others gather, or when the log is closed."""
    log, durable = open_log(tmp_path, LogLimits(gather_s=0.001))
    await log.append(b"a", "a", is_patient=True)
    await log.close()
    log, durable = open_log(tmp_path, LogLimits(gather_s=3_600.0))
    waiting = log.append(b"b", "b", is_patient=True)
    await log.close()
    await waiting
    assert durable == ["b"]
    assert entries(read_log(tmp_path)) == ["a", "b"]


async def test_closing_writes_what_is_gathered(tmp_path: Path) -> None:
    """And takes nothing more."""
    log, _ = open_log(tmp_path)
    waiting = append(log, "a", "b")
    await log.close()
    await waiting
    assert entries(read_log(tmp_path)) == ["a", "b"]
    with pytest.raises(Overloaded):
        log.append(b"c", "c")


def test_a_segment_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is taken for a segment whose zeros are not all there."""
    with full_disk(monkeypatch), pytest.raises(OSError, match="No space left"):
        make_segment(tmp_path / "1.log", 8_192)
    assert log_files(tmp_path) == []


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Whatever the process's umask is."""
    log, _ = open_log(tmp_path / "spool")
    await log.close()
    modes: Sequence[int] = [file.stat().st_mode & 0o777 for file in log_files(tmp_path / "spool")]
    assert set(modes) == {0o600}
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


async def test_a_disk_that_cannot_forget_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is needed no more stays, until it can be marked as such; what comes is written."""
    log, _ = open_log(tmp_path)
    await append(log, "a", "b")
    with full_disk(monkeypatch):
        log.need_from(1)
        with pytest.raises(InternalError):
            await append(log, "c")
    await append(log, "d")
    assert entries(read_log(tmp_path)) == ["a", "b", "d"]
    log.need_from(2)
    await log.close()
    assert entries(read_log(tmp_path)) == ["d"]


async def test_a_frame_that_failed_is_gone_before_its_numbers_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may have what it failed to write. It stands in the way of nothing that is written later, elsewhere."""
    log, durable = open_log(tmp_path)
    await append(log, *(f"{number}".ljust(850, "a") for number in range(9)))  # little room is left in the segment
    write = os.pwrite
    fails = True

    def unsure(descriptor: int, data: bytes, offset: int) -> int:
        """All that it is asked to write is there, for as long as nothing is written over it."""
        if data.strip(b"\0"):
            write(descriptor, data, offset)
        if fails:
            raise OSError(errno.EIO, "Input/output error")
        return len(data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", unsure)
        with pytest.raises(InternalError):
            await append(log, "failed")
        with pytest.raises(InternalError):
            await append(log, "long".ljust(1_000, "x"))
    await append(log, "another".ljust(1_000, "x"))
    await append(log, "last")
    await log.close()
    assert entries(read_log(tmp_path)) == durable
    assert durable[9:] == ["another".ljust(1_000, "x"), "last"]


@pytest.mark.parametrize("seed", range(200))
async def test_the_power_may_go_at_any_write(tmp_path: Path, seed: int) -> None:
    """Owner after owner: what was told and is needed is read again, in its order, and nothing is said to be lost. All
    that may be there besides is what was on its way."""
    chance = random.Random(seed)
    left: dict[str, bytes] = {}
    log_of: list[str] = []
    for owner in range(6):
        directory = tmp_path / f"{owner}"
        directory.mkdir()
        for name, data in left.items():
            (directory / name).write_bytes(data)
        before = read_log(directory)
        found = entries(before)
        assert not before.lost
        assert found[: len(log_of) - before.needed_from] == log_of[before.needed_from :]
        del log_of[before.needed_from :]
        log_of += found
        needed_from = before.needed_from
        disk = FakeDisk(directory, chance)
        with disk.mounted():
            log, _ = open_log(directory)
            assert log.next_number == len(log_of)
            disk.fail(Fault.END, after=chance.randrange(30))
            while not disk.is_dead:
                text = f"{len(log_of)}-".ljust(chance.randrange(10, 900), "x")
                with contextlib.suppress(InternalError):
                    await append(log, text)
                    log_of.append(text)
                if chance.random() < 0.4:
                    needed_from = max(needed_from, len(log_of) - chance.choice((0, 0, 1, 9)))
                    log.need_from(needed_from)
            disk.end()
            left = disk.left_by_a_power_cut() if chance.random() < 0.7 else disk.left_by_a_kill()
            await log.close()
