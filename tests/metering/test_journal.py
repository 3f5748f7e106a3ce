"""The journal of open requests: whole slots, kept past the end of the process."""

from pathlib import Path

import msgspec

from servery.core.clock import ManualClock
from servery.core.serving_path import ServingPath
from servery.metering.cut_requests import acknowledge_cut_requests, cut_requests, keep_cut_requests
from servery.metering.journal import Journal, journal_file, open_requests, orphans
from servery.metering.open_request import Opened, OpenRequest
from servery.store.database import Database


def request(request_id: str, *, opened_ns: int = 1, model: str = "accounts/acme/models/small") -> OpenRequest:
    return OpenRequest(
        request_id=request_id,
        account="acme",
        key_id="key_1",
        model=model,
        serving_path=ServingPath.STANDARD,
        replica="shared-0",
        opened_ns=opened_ns,
    )


def opened(request_id: str, *, opened_ns: int = 1, model: str = "accounts/acme/models/small") -> Opened:
    """As it is written."""
    values: Opened = msgspec.structs.astuple(request(request_id, opened_ns=opened_ns, model=model))
    return values


def test_what_has_not_ended_is_found_by_the_next_start(tmp_path: Path) -> None:
    """Also while the platform runs, from another process's view of the file; oldest first."""
    file = tmp_path / "0.journal"
    journal = Journal.open(file)
    for number, request_id in enumerate("abc"):
        journal.opened(opened(request_id, opened_ns=10 - number))
    journal.ended("b")
    journal.ended("unknown")
    assert open_requests(tmp_path) == [request("c", opened_ns=8), request("a", opened_ns=10)]
    assert Journal.open(file).left == [request("c", opened_ns=8), request("a", opened_ns=10)]


def test_what_was_left_keeps_its_slots_until_it_is_kept_elsewhere(tmp_path: Path) -> None:
    """A start that is killed in its turn loses nothing."""
    file = tmp_path / "0.journal"
    Journal.open(file).opened(opened("a"))
    second = Journal.open(file)
    second.opened(opened("b", opened_ns=2))
    assert open_requests(tmp_path) == [request("a"), request("b", opened_ns=2)]
    second.forget_left()
    assert (second.left, open_requests(tmp_path)) == ([], [request("b", opened_ns=2)])


def test_there_is_room_for_any_number(tmp_path: Path) -> None:
    """The file grows, and its slots are used again."""
    file = tmp_path / "0.journal"
    journal = Journal.open(file)
    for number in range(9_000):
        journal.opened(opened(str(number)))
    size = file.stat().st_size
    for number in range(9_000):
        journal.ended(str(number))
    for number in range(9_000):
        journal.opened(opened(str(number)))
    assert (file.stat().st_size, len(open_requests(tmp_path))) == (size, 9_000)
    assert len(Journal.open(file).left) == 9_000


def test_opening_twice_is_opening_once(tmp_path: Path) -> None:
    """A request has one slot."""
    journal = Journal.open(tmp_path / "0.journal")
    journal.opened(opened("a"))
    journal.opened(opened("a"))
    journal.ended("a")
    assert open_requests(tmp_path) == []


def test_names_of_any_length_fit(tmp_path: Path) -> None:
    """What would not fit a slot is left out; the request's id is what counts."""
    journal = Journal.open(tmp_path / "0.journal")
    journal.opened(opened("a", model="m" * 3_000))
    assert [each.request_id for each in open_requests(tmp_path)] == ["a"]


def test_what_an_earlier_version_wrote_is_found(tmp_path: Path) -> None:
    """It wrote an object where now an array is written."""
    file = tmp_path / "0.journal"
    Journal.open(file).opened(opened("b", opened_ns=2))
    text = msgspec.json.encode(request("a"))
    with file.open("r+b") as writing:
        writing.seek(7 * 1_024)
        writing.write(len(text).to_bytes(2, "little") + text)
    assert Journal.open(file).left == [request("a"), request("b", opened_ns=2)]


def test_a_half_written_slot_is_passed_over(tmp_path: Path) -> None:
    """A reader may look while the platform writes."""
    file = tmp_path / "0.journal"
    journal = Journal.open(file)
    journal.opened(opened("a"))
    journal.opened(opened("b"))
    content = bytearray(file.read_bytes())
    content[2:40] = bytes(38)
    file.write_bytes(content)
    assert [each.request_id for each in open_requests(tmp_path)] == ["b"]
    assert open_requests(tmp_path / "nothing") == []


def test_a_slot_is_found_or_passed_over_wherever_its_writing_was_cut(tmp_path: Path) -> None:
    """Text first, then the high byte of its length, then the low one: whatever the length is, also a whole number of
    256. What was freed before leaves nothing of its length."""
    file = tmp_path / "0.journal"
    journal = Journal.open(file)
    lengths = set()
    for size in range(1, 600):
        model = "m" * size
        journal.opened(opened("a", model=model))
        assert [each.model for each in open_requests(tmp_path)] == [model]
        whole = file.read_bytes()
        offset = next(at for at in range(0, len(whole), 1_024) if any(whole[at : at + 2]))
        lengths.add(int.from_bytes(whole[offset : offset + 2], "little"))
        for cut in (bytes(2), b"\0" + whole[offset + 1 : offset + 2]):
            (tmp_path / "cut.journal").write_bytes(whole[:offset] + cut + whole[offset + 2 :])
            found = [each.model for each in open_requests(tmp_path)]
            assert found in ([model], [model] * 2)
            assert (found == [model] * 2) == (cut == whole[offset : offset + 2])
        (tmp_path / "cut.journal").unlink()
        journal.ended("a")
        assert open_requests(tmp_path) == []
    assert {256, 512} <= lengths


async def test_cut_requests_are_told_of_until_acknowledged(database: Database, clock: ManualClock) -> None:
    """Each once, with the time at which it was found, however often a start finds it."""
    await keep_cut_requests(database, clock, [request("a"), request("b", opened_ns=2)])
    found_ns = clock.wall_ns()
    clock.advance(1)
    await keep_cut_requests(database, clock, [request("a")])
    assert [(each.request_id, each.found_ns) for each in cut_requests(database.reader)] == [
        ("a", found_ns),
        ("b", found_ns),
    ]
    assert await acknowledge_cut_requests(database, clock) == 2
    assert cut_requests(database.reader) == []
    await keep_cut_requests(database, clock, [request("a"), request("c")])
    assert [each.request_id for each in cut_requests(database.reader)] == ["c"]


def test_each_worker_has_a_journal_and_none_is_forgotten(tmp_path: Path) -> None:
    """What workers left that a platform has no more is found, also where it now has fewer."""
    for worker in range(3):
        Journal.open(journal_file(tmp_path, worker)).opened(opened(str(worker), opened_ns=worker))
    assert [each.request_id for each in open_requests(tmp_path)] == ["0", "1", "2"]
    assert orphans(tmp_path, workers=3) == []
    assert orphans(tmp_path, workers=1) == [journal_file(tmp_path, 1), journal_file(tmp_path, 2)]
