"""Fast: holds the concurrency of each replica so that its streams keep their speed.

What is promised is that the slowest tenth of the streams is no slower than the target. So for each replica

    p10 below 1.1 x the target        limit x p10 / that, but x 0.8 at most and x 0.25 at least, and never below 1;
                                      what was measured until now is forgotten
    p10 at least 1.3 x the target     limit + 1, at most what the catalog says, if all places are in use

once a second, over what its streams did in the last five (additive increase, multiplicative decrease: Chiu and Jain,
1989). It aims above the target because it finds out that there are too many only from streams that were slow. Requests
that find no room wait, and are refused when the wait grows too long: Fast is never slow because it is full. A replica
that cannot keep the speed with one stream alone serves one at a time.

Each trial that fails makes as many streams slow as the limit says, so a limit that was too high is not tried at once
again: as soon as the streams are so fast that it would hold now, by how much slower it made them, or after ten seconds,
which become twice as long with each trial that fails, up to five minutes.

A stream whose client once read too slowly is left out: it says how fast the client is. Pure; time is handed in, and
only streams that begin and end move anything, because only then does a limit matter.
"""

from collections import deque
from typing import Final, Protocol

from servery.fleet.replica import Replica

WINDOW_S: Final = 5.0
_LOOK_S: Final = 0.5
_ADJUST_S: Final = 1.0
_FEWEST_SAMPLES: Final = 3
_FEWEST_TOKENS: Final = 8
_LEAST_DECREASE: Final = 0.8
_MOST_DECREASE: Final = 0.25
_AIM: Final = 1.1
_MARGIN: Final = 1.3
_LEARNING: Final = 0.1
_TRIAL_S: Final = 2 * WINDOW_S
"""A limit that has held for so long has passed."""
_PATIENCE_S: Final = 10.0
_MOST_PATIENCE_S: Final = 320.0


class Counted(Protocol):
    """A stream's count. ``frames`` are events that carried a token; ``is_held_up`` once its client was too slow."""

    @property
    def frames(self) -> int: ...

    @property
    def is_held_up(self) -> bool: ...

    @property
    def generated_tokens(self) -> int | None:
        """As the engine told at the end, None before."""
        ...


class Stream:
    """One stream that is generated at a replica."""

    __slots__ = ("began_s", "count", "frames", "replica", "seen_s")

    def __init__(self, replica: Replica, count: Counted, now_s: float) -> None:
        self.replica = replica
        self.count = count
        self.began_s = self.seen_s = now_s
        self.frames = count.frames


class _Closed:
    """A limit that failed, until ``again_s``: it made the slowest as much ``slower`` as was seen when it was tried."""

    def __init__(self) -> None:
        self.again_s = 0.0
        self.slower = 1.0
        self.patience_s = _PATIENCE_S


class _Trials:
    """What became of the limits of one replica, each of which is tried from the one below."""

    def __init__(self) -> None:
        self._closed: dict[int, _Closed] = {}
        self._tried, self._tried_s, self._before = 0, 0.0, 0.0

    def may_try(self, limit: int, slowest: float, now_s: float, *, aim: float) -> bool:
        """Now that the slowest are so fast with one stream less."""
        closed = self._closed.get(limit)
        if closed is None or now_s >= closed.again_s:
            return True
        # At worst all streams together become no faster by one more, as far as a trial did not tell otherwise.
        return slowest * min(closed.slower, (limit - 1) / limit) >= aim

    def tries(self, limit: int, slowest: float, now_s: float) -> None:
        """As ``may_try`` allowed. The one below has held."""
        self._tried, self._tried_s, self._before = limit, now_s, slowest
        self._closed.pop(limit - 1, None)

    def failed(self, limit: int, slowest: float, now_s: float) -> None:
        """With this limit the slowest were too slow. Whether that is the limit's fault, or everything has become
        slower, is known only of a trial."""
        closed = self._closed.setdefault(limit, _Closed())
        patience_s = _PATIENCE_S
        if limit == self._tried and now_s - self._tried_s <= _TRIAL_S:
            closed.slower = slowest / self._before
            patience_s = closed.patience_s
            closed.patience_s = min(2 * patience_s, _MOST_PATIENCE_S)
        closed.again_s = max(closed.again_s, now_s + patience_s)
        self._tried = 0


class _Watched:
    """One replica: its streams, and their speeds of late, in frames per second."""

    def __init__(self, replica: Replica) -> None:
        self.most = replica.occupancy.sequences_limit
        self.streams: dict[Stream, None] = {}
        self.speeds: deque[tuple[float, float]] = deque()
        self.adjusted_s = 0.0
        self.trials = _Trials()

    def forget_before(self, at_s: float) -> None:
        while self.speeds and self.speeds[0][0] < at_s:
            self.speeds.popleft()


class SpeedControl:
    """For the replicas of one pool. ``target`` is tokens per second of each stream."""

    def __init__(self, *, target: float) -> None:
        self.target = target
        self._tokens_per_frame = 1.0
        self._watched: dict[Replica, _Watched] = {}

    def begin(self, replica: Replica, count: Counted, now_s: float) -> Stream:
        """A stream's first token has come."""
        stream = Stream(replica, count, now_s)
        watched = self._watched.get(replica)
        if watched is None:
            watched = self._watched[replica] = _Watched(replica)
        watched.streams[stream] = None
        self._look(replica, watched, now_s)
        return stream

    def end(self, stream: Stream, now_s: float) -> None:
        """The stream is over."""
        watched, count = self._watched[stream.replica], stream.count
        del watched.streams[stream]
        frames, passed_s, tokens = count.frames, now_s - stream.began_s, count.generated_tokens
        if frames >= _FEWEST_TOKENS:
            if tokens is not None:
                self._tokens_per_frame += _LEARNING * (tokens / frames - self._tokens_per_frame)
            if stream.seen_s == stream.began_s and passed_s > 0.0 and not count.is_held_up:
                watched.speeds.append((now_s, (frames - stream.frames) / passed_s))
        self._look(stream.replica, watched, now_s)

    def percentile(self, share: float) -> float | None:
        """Of the streams' tokens per second over the last window; None where there were none."""
        speeds = sorted(speed for watched in self._watched.values() for _, speed in watched.speeds)
        return _at(speeds, share) * self._tokens_per_frame if speeds else None

    def _look(self, replica: Replica, watched: _Watched, now_s: float) -> None:
        for stream in watched.streams:
            passed_s = now_s - stream.seen_s
            if passed_s >= _LOOK_S:
                if not stream.count.is_held_up:
                    watched.speeds.append((now_s, (stream.count.frames - stream.frames) / passed_s))
                stream.frames, stream.seen_s = stream.count.frames, now_s
        watched.forget_before(now_s - WINDOW_S)
        if now_s - watched.adjusted_s >= _ADJUST_S and len(watched.speeds) >= _FEWEST_SAMPLES:
            watched.adjusted_s = now_s
            self._adjust(replica, watched, now_s)

    def _adjust(self, replica: Replica, watched: _Watched, now_s: float) -> None:
        slowest = _at(sorted(speed for _, speed in watched.speeds), 0.1) * self._tokens_per_frame
        limit, aim = replica.occupancy.sequences_limit, self.target * _AIM
        if slowest < aim:
            watched.speeds.clear()
            if limit > 1:
                watched.trials.failed(limit, slowest, now_s)
                share = min(_LEAST_DECREASE, max(_MOST_DECREASE, slowest / aim))
                replica.limit(max(1, int(limit * share)))
            return
        # One that has just ended has made a place, so all but one in use is all.
        is_full = replica.occupancy.busy_sequences >= limit - 1
        trials = watched.trials
        if slowest < self.target * _MARGIN or not is_full or limit >= watched.most:
            return
        if trials.may_try(limit + 1, slowest, now_s, aim=aim):
            trials.tries(limit + 1, slowest, now_s)
            replica.limit(limit + 1)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
