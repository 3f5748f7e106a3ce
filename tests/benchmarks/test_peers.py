"""How peers are described to themselves."""

import re
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest
from benchmarks.__main__ import PEERS
from benchmarks.comparison import compare
from benchmarks.cores import Cores, pinned
from benchmarks.growth import gap_ms
from benchmarks.peers.peer import Gateway, NotInstalled
from benchmarks.peers.servery import MODEL, catalog_text
from benchmarks.place import Place
from benchmarks.profile_servery import shares
from benchmarks.sizes import QUICK

from servery.catalog.reading import read_catalog

REQUIREMENTS = Path(__file__).parents[2] / "benchmarks/peers/requirements"


@pytest.mark.parametrize("replicas", [1, 256])
def test_the_catalog_is_one(replicas: int) -> None:
    """Without a fault or a warning, and with as many replicas as there are engines."""
    text = catalog_text(list(range(1, replicas + 1)))
    catalog = read_catalog(text, source="catalog", directory=Path(), today=date(2026, 11, 20))
    assert catalog.warnings == ()
    assert [str(offer.name) for offer in catalog.offers(date(2026, 11, 20))] == [MODEL]


def test_each_peer_has_a_name_of_its_own() -> None:
    """The table's lines can be told apart."""
    assert len({peer.name for peer in PEERS}) == len(PEERS)


class Absent:
    """A peer that cannot be had."""

    name = "absent"

    def install(self, place: Place) -> str:
        raise NotInstalled(f"not for {place.scratch.name}")

    def started(self, place: Place, engine_ports: list[int]) -> AbstractContextManager[Gateway]:
        raise AssertionError("what is not installed is not started")


def test_a_peer_that_cannot_be_had_has_a_row_that_says_so(tmp_path: Path) -> None:
    """With the reason, without figures, and without an end to the run."""
    place = Place(build=tmp_path, scratch=tmp_path / "here", cores=Cores())
    (row,) = compare([Absent()], place, QUICK)
    assert row.failures == {"all": "not installed: not for here"}
    assert row.chunk_us is None


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda file: file.name)
def test_peers_are_pinned(file: Path) -> None:
    """Every package, the dependencies too, and nothing but names and versions."""
    assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.+]+", line) for line in file.read_text().splitlines())


def test_pinning_is_left_out_where_it_cannot_be() -> None:
    """A machine with one core runs everything on it, and says so."""
    assert pinned(["a"], ()) == ["a"]
    assert pinned(["a"], (1, 2)) == ["taskset", "--cpu-list", "1,2", "a"]
    assert str(Cores()) == "not pinned"


def test_streams_share_one_pace() -> None:
    """However many, they make 20,000 chunks a second, unless each would have to be faster than timers are."""
    assert [gap_ms(streams) for streams in (1, 20, 200, 2000)] == [1, 1, 10, 100]


def test_profiles_are_summed_by_frame() -> None:
    """Alone by the innermost frame, with callees once for each stack, however often a frame stands in it."""
    alone, together = shares("a;b;a 3\na;c 1\n")
    assert alone == {"a": 0.75, "c": 0.25}
    assert together == {"a": 1.0, "b": 0.75, "c": 0.25}
