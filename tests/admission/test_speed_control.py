"""Fast: concurrency that follows what streams really do."""

from itertools import pairwise
from random import Random

import pytest
from tests.admission.pools import pool_of

from servery.admission.speed_control import SpeedControl, Stream


class Count:
    """A stream's count, two tokens a frame if so told."""

    def __init__(self, tokens_per_frame: int = 1) -> None:
        self.frames = 0
        self.is_held_up = False
        self.sent = 0.0
        self._tokens_per_frame = tokens_per_frame

    @property
    def generated_tokens(self) -> int | None:
        return self.frames * self._tokens_per_frame


class Machine:
    """One replica that generates ``tokens_per_s`` in all, shared by its streams, each of at most ``most`` a second.
    Somebody always wants a place; answers are 50 to 400 frames. From ``cliff`` streams on all are half as fast.
    ``limits`` are those that there were, and from when on."""

    def __init__(
        self, *, tokens_per_s: float, most: float = 400.0, concurrency: int = 32, target: float = 100.0
    ) -> None:
        (self.replica,) = pool_of(concurrency=concurrency).replicas
        self.control = SpeedControl(target=target)
        self.tokens_per_s, self.most = tokens_per_s, most
        self.tokens_per_frame, self.held_up = 1, False
        self.now_s = 0.0
        self.cliff: int | None = None
        self.limits: list[tuple[float, int]] = []
        self.speeds: list[float] = []
        self._streams: dict[Stream, int] = {}
        self._random = Random(5)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.now_s += 0.02
            while self.replica.has_room_for(1):
                self.replica.occupancy.enter(1)
                stream = self.control.begin(self.replica, Count(self.tokens_per_frame), self.now_s)
                self._streams[stream] = self._random.randint(50, 400)
            if not self.limits or self.limits[-1][1] != self.limit:
                self.limits.append((self.now_s, self.limit))
            each = min(self.most, self.tokens_per_s / len(self._streams)) / self.tokens_per_frame
            if self.cliff is not None and len(self._streams) >= self.cliff:
                each /= 2
            for stream, frames in list(self._streams.items()):
                count = stream.count
                assert isinstance(count, Count)
                count.is_held_up = self.held_up
                count.sent += each * 0.02
                count.frames = int(count.sent)
                if count.frames >= frames:
                    del self._streams[stream]
                    self.replica.occupancy.leave(1)
                    self.speeds.append(frames * self.tokens_per_frame / (self.now_s - stream.began_s))
                    self.control.end(stream, self.now_s)

    @property
    def limit(self) -> int:
        return self.replica.occupancy.sequences_limit

    def slowest_tenth(self) -> float:
        return sorted(self.speeds)[len(self.speeds) // 10]


@pytest.mark.parametrize(("tokens_per_s", "places"), [(1_000, 10), (2_000, 20), (500, 5)])
def test_as_many_are_let_in_as_keep_their_speed(tokens_per_s: float, places: int) -> None:
    """Nearly so many as the machine's speed allows, and nine in ten streams reach the target."""
    machine = Machine(tokens_per_s=tokens_per_s)
    machine.run(30)
    machine.speeds.clear()
    machine.run(60)
    assert machine.slowest_tenth() >= 100.0
    assert 0.7 * places <= machine.limit <= places


def test_a_machine_that_is_fast_enough_is_used_in_full() -> None:
    """Up to what the catalog says, from the beginning."""
    machine = Machine(tokens_per_s=10_000)
    machine.run(20)
    assert machine.limit == 32


def test_a_machine_that_gets_slower_and_recovers_is_followed() -> None:
    """Down within seconds, up again one by one."""
    machine = Machine(tokens_per_s=4_000)
    machine.run(20)
    assert machine.limit == 32
    machine.tokens_per_s = 1_000
    machine.run(20)
    assert 7 <= machine.limit <= 10
    machine.tokens_per_s = 4_000
    machine.run(60)
    assert machine.limit == 32


def test_a_machine_that_cannot_serves_one_at_a_time() -> None:
    """And none faster than it is."""
    machine = Machine(tokens_per_s=50)
    machine.run(400)
    assert machine.limit == 1
    assert machine.control.percentile(0.5) == pytest.approx(50, rel=0.1)


def test_tokens_count_and_not_frames() -> None:
    """An engine that sends two tokens at a time is twice as fast as its frames."""
    machine = Machine(tokens_per_s=2_000)
    machine.tokens_per_frame = 2
    machine.run(90)
    assert machine.limit >= 14
    assert machine.control.percentile(0.5) == pytest.approx(2_000 / machine.limit, rel=0.2)


def test_clients_that_read_slowly_do_not_slow_down_others() -> None:
    """Their streams are as slow as they are, and the limit stays."""
    machine = Machine(tokens_per_s=400)
    machine.held_up = True
    machine.run(30)
    assert machine.limit == 32
    assert machine.control.percentile(0.1) is None


def test_a_limit_that_failed_is_tried_ever_less_often() -> None:
    """Four streams are quick and five are slow, as with engines that compute by fours: whoever looks only at the four
    thinks that there is room. Each trial makes streams slow; nine in ten must not be."""
    machine = Machine(tokens_per_s=1_000, most=150)
    machine.cliff = 5
    machine.run(300)
    trials = [at_s for at_s, limit in machine.limits if limit == 5]
    apart = [later - earlier for earlier, later in pairwise(trials)]
    assert 3 <= len(trials) <= 6
    assert all(later > 1.5 * earlier for earlier, later in pairwise(apart))
    assert machine.slowest_tenth() >= 100.0


def test_a_machine_that_recovers_is_not_waited_for() -> None:
    """However often trials have failed: it shows how fast it is with fewer."""
    machine = Machine(tokens_per_s=560)
    machine.run(600)
    assert machine.limit <= 5
    machine.tokens_per_s = 6_000
    machine.run(60)
    assert machine.limit == 32


def test_a_limit_that_held_for_long_was_no_trial() -> None:
    """When the machine slows down later, again and again, that says nothing of the limit."""
    machine = Machine(tokens_per_s=10_000, concurrency=8)
    for _ in range(7):
        machine.tokens_per_s = 10_000
        machine.run(60)
        assert machine.limit == 8
        machine.tokens_per_s = 300
        machine.run(20)
        assert machine.limit <= 3
