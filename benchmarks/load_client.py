"""The client: many closed loops over raw connections. Reads a ``Load`` as JSON, prints a ``LoadReport``."""

import asyncio
import itertools
import sys
import time
from array import array
from collections import Counter
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.load import Load, LoadReport, Spread
from benchmarks.mock_engine import WORD
from benchmarks.process_tree import Memory, cpu_s, memory

_COUNTED = WORD.encode()
_NUMBER = b"00000000"


class Requests:
    """The bytes of one request after another."""

    def __init__(self, load: Load) -> None:
        self._parts = [self._split(load, body) for body in load.bodies]
        self._authorizations = [f"Authorization: {one}\r\n".encode() for one in load.authorizations] or [b""]
        self._sent = itertools.count()

    def next(self) -> bytes:
        number = next(self._sent)
        start, middle, end = self._parts[number % len(self._parts)]
        authorization = self._authorizations[number % len(self._authorizations)]
        return b"".join((start, authorization, middle, b"%08d" % (number % 100_000_000), end))

    @staticmethod
    def _split(load: Load, text: str) -> tuple[bytes, bytes, bytes]:
        before, _, after = text.encode().partition(_NUMBER)
        headers = {
            "Host": f"127.0.0.1:{load.port}",
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Content-Length": str(len(before) + len(_NUMBER) + len(after)),
            **load.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {load.path} HTTP/1.1\r\n{head}".encode(), b"\r\n" + before, after


class Counts:
    """What has happened since the window opened."""

    def __init__(self) -> None:
        self.is_open = False
        self.requests = 0
        self.chunks = 0
        self.received_bytes = 0
        self.in_flight = 0
        self.errors: Counter[str] = Counter()
        self.first_byte_s = array("d")
        self.gaps_s = array("d")


class Caller(asyncio.Protocol):
    """One closed loop over one connection at a time."""

    def __init__(self, load: Load, requests: Requests, counts: Counts) -> None:
        self._load = load
        self._requests = requests
        self._counts = counts
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._sent_s = 0.0
        self._last_s = 0.0
        self._busy = False
        self.stopping = False
        self.ended = asyncio.Event()

    async def begin(self) -> None:
        """Connect and send the first request."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._load.port)
        except OSError as error:
            self._counts.errors[f"no connection: {error.strerror}"] += 1
            self.ended.set()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._busy and not self.stopping:
            self._counts.errors["connection lost"] += 1
        if self._busy:
            self._settle()
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        counts = self._counts
        if counts.is_open:
            counts.received_bytes += len(data)
            if words := data.count(_COUNTED):
                counts.chunks += words
                if self._last_s:
                    counts.gaps_s.append(now_s - self._last_s)
                else:
                    counts.first_byte_s.append(now_s - self._sent_s)
                self._last_s = now_s
        elif _COUNTED in data:
            self._last_s = now_s
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            counts.errors["not HTTP"] += 1
            self.abort()

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200:
            self._counts.errors[f"status {status}"] += 1
        elif self._counts.is_open:
            self._counts.requests += 1
        self._settle()
        if self._transport is None:
            return
        if self.stopping or not self._parser.should_keep_alive():
            self._transport.close()
        else:
            self._send()

    def stop(self) -> None:
        """Begin nothing new."""
        self.stopping = True
        if not self._busy and self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        assert self._transport is not None, "requests go over an open connection"
        self._busy = True
        self._counts.in_flight += 1
        self._last_s = 0.0
        self._sent_s = time.perf_counter()
        self._transport.write(self._requests.next())

    def _settle(self) -> None:
        self._busy = False
        self._counts.in_flight -= 1


class Loop:
    """All callers of one load, from the first connection to the last answer."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._counts = Counts()
        self._requests = Requests(load)
        self._callers: dict[int, Caller] = {}
        self._stopping = False

    async def run(self) -> LoadReport:
        load = self._load
        turns = [asyncio.create_task(self._turn(index)) for index in range(load.connections)]
        await asyncio.sleep(load.warm_s)
        report = await self._window()
        self._stopping = True
        for caller in self._callers.values():
            caller.stop()
        _, late = await asyncio.wait(turns, timeout=load.grace_s)
        for caller in self._callers.values():
            caller.abort()
        for turn in late:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        return report

    async def _turn(self, index: int) -> None:
        """One closed loop; a server that closes a connection gets a new one."""
        await asyncio.sleep(self._load.ramp_s * index / self._load.connections)
        while not self._stopping and sum(self._counts.errors.values()) < self._load.connections * 4:
            caller = Caller(self._load, self._requests, self._counts)
            self._callers[index] = caller
            await caller.begin()
            await caller.ended.wait()

    async def _window(self) -> LoadReport:
        load, counts = self._load, self._counts
        opened_s, client_s, watched_s = time.perf_counter(), time.process_time(), self._watched_cpu_s()
        counts.is_open = True
        await asyncio.sleep(load.window_s)
        counts.is_open = False
        window_s = time.perf_counter() - opened_s
        watched_s = self._watched_cpu_s() - watched_s
        client_s = time.process_time() - client_s
        open_at_end = counts.in_flight
        held = Memory(0, 0)
        if load.watch_memory and load.watched_pid is not None:
            held = memory(load.watched_pid)
        return LoadReport(
            window_s=window_s,
            requests=counts.requests,
            chunks=counts.chunks,
            received_bytes=counts.received_bytes,
            errors=dict(counts.errors),
            first_byte=Spread.of(counts.first_byte_s.tolist()),
            gaps=Spread.of(counts.gaps_s.tolist()),
            open_at_end=open_at_end,
            watched_cpu_s=watched_s,
            client_cpu_s=client_s,
            rss_bytes=held.rss_bytes,
            pss_bytes=held.pss_bytes,
        )

    def _watched_cpu_s(self) -> float:
        return 0.0 if self._load.watched_pid is None else cpu_s(self._load.watched_pid)


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    report = uvloop.run(Loop(load).run())
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    main()
