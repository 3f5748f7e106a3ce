"""Who waits for company waits no longer than it can come, and hardly fewer share a write. In virtual time."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.store.company import Company

GATHER_S = 0.005
WRITE_S = 0.0003
SERVE_S = 0.00005
"""The processor's time for one request, whoever else has one."""
THINK_S = 0.0001
"""Between an answer and what its client asks next."""

Came = tuple[float, int]


class Town:
    """Clients, a processor that serves one after the other, and a disk that writes one group at a time."""

    def __init__(self, *, counts: bool = True) -> None:
        """``counts`` false: the whole time is always waited."""
        self.now_s = 0.0
        self.sizes: list[int] = []
        self.waits_s: list[float] = []
        self._company = Company(GATHER_S)
        self._counts = counts
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._waiting: list[tuple[float, Callable[[], None]]] = []
        self._is_writing = False
        self._look_due_s = -1.0
        self._served_s = 0.0

    def at(self, due_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (due_s, next(self._number), act))

    def run(self, until_s: float) -> None:
        while self._agenda and self._agenda[0][0] <= until_s:
            self.now_s, _, act = heapq.heappop(self._agenda)
            act()
        self.now_s = until_s

    def ask(self, served: Callable[[], None]) -> None:
        """A request comes; ``served`` is called once it is durable."""
        self._served_s = max(self._served_s, self.now_s) + SERVE_S
        self.at(self._served_s, lambda: self._wait(served))

    def _wait(self, served: Callable[[], None]) -> None:
        self._waiting.append((self.now_s, served))
        self._company.came_s = self.now_s if self._counts else math.inf
        self._look()

    def _look(self) -> None:
        if self._is_writing or not self._waiting:
            return
        if len(self._waiting) >= self._company.enough or self._company.due_s <= self.now_s:
            group, self._waiting = self._waiting, []
            self._is_writing = True
            self._company.went(len(group), self.now_s)
            self.sizes.append(len(group))
            self.at(self.now_s + WRITE_S, lambda: self._written(group))
        elif self._look_due_s != self._company.due_s:
            self._look_due_s = self._company.due_s
            self.at(self._look_due_s, self._look)

    def _written(self, group: list[tuple[float, Callable[[], None]]]) -> None:
        self._is_writing = False
        for since_s, served in group:
            self.waits_s.append(self.now_s - since_s)
            served()
        self._look()

    def forget(self) -> None:
        self.sizes.clear()
        self.waits_s.clear()


class Client:
    """Asks one thing after the other, until it leaves."""

    def __init__(self, town: Town, *, thinks_s: Callable[[], float]) -> None:
        self._town = town
        self._thinks_s = thinks_s
        self.stays = True
        self._ask()

    def _ask(self) -> None:
        if self.stays:
            self._town.at(self._town.now_s + self._thinks_s(), lambda: self._town.ask(self._ask))


def clients(town: Town, number: int, *, seed: int = 1) -> list[Client]:
    chance = random.Random(seed)
    return [Client(town, thinks_s=lambda: chance.uniform(0.5, 1.5) * THINK_S) for _ in range(number)]


def strangers(town: Town, *, per_s: float, until_s: float) -> None:
    """Any number of clients, each of whom comes once."""
    chance = random.Random(2)
    at_s = town.now_s
    while (at_s := at_s + chance.expovariate(per_s)) < until_s:
        town.at(at_s, lambda: town.ask(lambda: None))


def mean(values: list[float] | list[int]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("number", [3, 8, 32, 64])
def test_no_time_is_lost_where_all_are_there(number: int) -> None:
    """Clients that ask one thing after the other are served as fast as the processor can, in groups of nearly all. (Two
    take turns, each alone.)"""
    town = Town()
    clients(town, number)
    town.run(0.2)
    town.forget()
    town.run(1.2)
    a_round_s = number * SERVE_S + WRITE_S + 2 * THINK_S
    assert mean(town.sizes) > 0.75 * number
    assert mean(town.waits_s) < a_round_s
    assert len(town.waits_s) > 0.9 * number / a_round_s


def test_who_is_alone_never_waits() -> None:
    """Not for a moment, and however often it comes."""
    town = Town()
    clients(town, 1)
    town.run(1.0)
    assert max(town.waits_s) == pytest.approx(WRITE_S)


@pytest.mark.parametrize("per_s", [300, 1_000, 3_000, 6_000])
def test_groups_of_strangers_stay_large(per_s: int) -> None:
    """Where anybody may come at any time, nearly as many share a write as if the whole time were always waited."""
    sizes = []
    for counts in (True, False):
        town = Town(counts=counts)
        strangers(town, per_s=per_s, until_s=5.0)
        town.run(5.0)
        assert max(town.waits_s) <= GATHER_S + WRITE_S + SERVE_S
        sizes.append(mean(town.sizes))
    assert sizes[0] > 0.85 * sizes[1]


def test_a_hitch_is_no_change() -> None:
    """Where something holds up half of the clients now and then, as many as before share the next writes."""
    town = Town()
    clients(town, 16)
    for _ in range(16):
        Client(town, thinks_s=lambda: 0.006 if town.now_s % 0.1 < 0.002 else THINK_S)
    town.run(0.25)
    town.forget()
    town.run(1.25)
    assert mean(town.sizes) > 0.75 * 32


def test_who_joins_is_counted() -> None:
    """A second after there were a few clients there are many: they share writes."""
    town = Town()
    clients(town, 4)
    town.run(1.0)
    clients(town, 60, seed=3)
    town.run(2.0)
    town.forget()
    town.run(2.5)
    assert mean(town.sizes) > 0.75 * 64


def test_who_leaves_is_soon_forgotten() -> None:
    """Those that stay wait in vain once, and then as little as if nobody else had been there."""
    town = Town()
    here = clients(town, 64)
    town.run(0.3)
    for client in here[4:]:
        client.stays = False
    town.run(0.33)
    town.forget()
    town.run(0.83)
    assert mean(town.waits_s) < WRITE_S + 4 * SERVE_S + 2 * THINK_S


def test_some_that_come_now_and_then_keep_up_nobody() -> None:
    """Thirty-two that ask one thing after the other, among many that come once."""
    town = Town()
    clients(town, 32)
    strangers(town, per_s=400, until_s=1.2)
    town.run(0.2)
    town.forget()
    town.run(1.2)
    assert mean(town.waits_s) < GATHER_S / 2
    assert mean(town.sizes) > 24


def moments(data: st.DataObject) -> Iterator[Came]:
    now_s = 0.0
    for gap_s, number in data.draw(st.lists(st.tuples(st.floats(0, 0.01), st.integers(1, 100)), min_size=2)):
        now_s += gap_s
        yield now_s, number


@given(data=st.data())
def test_nobody_waits_for_longer_than_the_time_between_two_groups(data: st.DataObject) -> None:
    """Whatever came before; behind one that was alone, for nobody."""
    company = Company(GATHER_S)
    for (now_s, number), _ in pairwise(moments(data)):
        company.went(number, now_s)
        assert company.due_s == (now_s if number == 1 else now_s + GATHER_S)
        assert company.enough > 1
