"""``python -m benchmarks.overload``: twice what a fleet can do, on real processes and in the simulator.

Real are a whole ``servery serve``, the queues and caches of engines (``policies.caching_engine``: prompts are computed
one after another, streams are even, nothing else is computed), the sockets and the clock. A quarter of the calls is
Priority, and one of ten accounts asks for ten times as much as each other. Runs: Priority alone; all; all, with every
refused call made again after half a second, at most eight times; and all in one plain line, which is the same gateway
told of one account without Priority, with nobody refused for his wait and prompts not held back.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop

from benchmarks.cores import Cores, pinned
from benchmarks.kept_connections import KeptConnections
from benchmarks.mock_engine import BYTES_PER_TOKEN, WORD
from benchmarks.overload_scenario import (
    ENGINES,
    FRESH_S,
    GAP_MS,
    PLACES,
    PREFILL_PER_S,
    QUEUE,
    Runs,
    offered,
    report,
    simulated,
)
from benchmarks.peers.servery import opened
from benchmarks.place import ROOT, Place
from benchmarks.policies.overload_bars import PriorityAlone
from benchmarks.started import Started, ended_by_signals
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.tally import Ending, Tally
from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.synthetic import BLOCK_TOKENS

AGAIN_AFTER_S, _MOST_RETRIES = 0.5, 8
_AMPLE = 10**12
_MODEL = "accounts/servery/models/mock"


class Gateway(msgspec.Struct, frozen=True):
    """``keys`` by account."""

    port: int
    keys: dict[str, str]
    is_plain: bool


def main() -> int:
    twice = offered()
    build = ROOT / "build/bench"
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="scratch-") as scratch, ended_by_signals():
        place = Place(build=build, scratch=Path(scratch), cores=Cores.of_this_machine())
        real = Runs(
            unloaded=_run(place, "alone", PriorityAlone(twice)),
            ours=_run(place, "servery", twice),
            plain=_run(place, "plain", twice, is_plain=True),
            storm=_run(place, "storm", twice, retries=_MOST_RETRIES),
        )
    text, met = report(real, simulated(twice, again_after_s=AGAIN_AFTER_S, retries=_MOST_RETRIES))
    print(text)
    return 0 if met else 1


def _run(place: Place, name: str, trace: Trace, *, is_plain: bool = False, retries: int = 0) -> Summary:
    accounts = {request.account for request in trace.requests()}
    with _engines(place, name) as ports, started(place, name, _catalog(ports), accounts, is_plain=is_plain) as gateway:
        tally = uvloop.run(Replay(gateway, retries).run(trace))
    return summary_of(name, tally, {})


@contextmanager
def _engines(place: Place, name: str) -> Iterator[list[int]]:
    command = [sys.executable, "-m", "benchmarks.policies.caching_engine", "--ports", str(ENGINES)]
    command += ["--tokens-per-s", str(PREFILL_PER_S), "--cache-tokens", "400000"]
    command += ["--block-tokens", str(BLOCK_TOKENS), "--gap-ms", str(GAP_MS)]
    with Started(pinned(command, place.cores.load), log=place.scratch / f"{name}-engines.log", folder=ROOT) as process:
        yield list(json.loads(process.wait_for_output("]}\n", timeout_s=30))["ports"])


@contextmanager
def started(place: Place, name: str, written: str, accounts: set[str], *, is_plain: bool) -> Iterator[Gateway]:
    """A gateway with the catalog that is ``written``."""
    catalog, data = place.scratch / f"{name}.json", place.scratch / f"{name}-data"
    catalog.write_text(written)
    data.mkdir()
    command = [sys.executable, "-m", "servery", "serve", "--port", "0", "--catalog", str(catalog)]
    command += ["--data-dir", str(data), "--limit-requests-per-minute", str(_AMPLE)]
    for limit in ("prompt", "uncached-prompt", "generated"):
        command += [f"--limit-start-{limit}-tokens-per-minute", str(_AMPLE)]
    if is_plain:
        command += ["--standard-wait-budget-s", "3600", "--prefill-ahead-s", "3600"]
    with Started(pinned(command, place.cores.gateway), log=place.scratch / f"{name}.log", folder=ROOT) as process:
        said = process.wait_for_output("Ctrl-C stops.", timeout_s=60)
        port, key = re.search(r"http://127\.0\.0\.1:(\d+)", said), re.search(r"API key +(\S+)", said)
        assert port is not None, "it says where it listens"
        assert key is not None, "and with which key"
        keys = {one: key[1] if is_plain else opened(int(port[1]), key[1], one) for one in sorted(accounts)}
        yield Gateway(int(port[1]), keys, is_plain)


def _catalog(ports: list[int]) -> str:
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    engine = {"kind": "url", "family": "openai", "urls": urls, "served_model": "mock"}
    price = {"input": 0.5, "cached_input": 0.25, "output": 1.5}
    model = {
        "pool": "mock",
        "context_length": 1_000_000,
        "capabilities": ["chat"],
        "prices": {"standard": price, "priority": {name: 1.5 * one for name, one in price.items()}},
        "created": "2026-11-20",
        "limits": dict.fromkeys(("prompt", "uncached_prompt", "generated"), _AMPLE),
    }
    pool = {"engine": engine, "concurrency": PLACES, "queue": QUEUE}
    return json.dumps({"account": "servery", "pools": {"mock": pool}, "models": {"mock": model}})


class Replay:
    """All calls at their times, whether or not earlier ones are answered. With its first token an answer has
    ``first_word``. What is replayed in several pieces is tallied together, without the times between them; each begins
    with ``FRESH_S``."""

    first_word = WORD.encode()

    def __init__(self, gateway: Gateway, retries: int) -> None:
        self._gateway = gateway
        self._retries = retries
        self.tally = Tally()
        self._began_s = 0.0

    async def run(self, trace: Trace) -> Tally:
        return await self.run_piece(trace.requests(), from_s=0.0)

    async def run_piece(self, requests: Iterable[Request], *, from_s: float) -> Tally:
        """``from_s`` is when the piece begins, as the requests' arrivals tell time."""
        self._began_s = time.monotonic() - from_s
        connections = KeptConnections(self._gateway.port, self.first_word)
        self.tally.is_over = False
        self.tally.fresh_s += FRESH_S
        async with asyncio.TaskGroup() as group:
            for request in requests:
                await asyncio.sleep(max(0.0, request.arrives_s - self._now_s))
                self.tally.is_fresh = request.arrives_s < from_s + FRESH_S
                self.tally.offered(request)
                group.create_task(self._call(request, connections))
            self.tally.is_over = True
        connections.close()
        return self.tally

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    async def _call(self, request: Request, connections: KeptConnections) -> None:
        asked_s, written = self._now_s, self._written(request)
        for tries in range(self._retries + 1):
            if tries:
                self.tally.retries += 1
                await asyncio.sleep(AGAIN_AFTER_S)
                asked_s = self._now_s
            answer = await connections.ask(written)
            status = answer.status
            assert status in {200, 429, 503}, f"not one of the answers that are expected: {answer.body[:300]!r}"
            if status == 200:
                cached = min(_cached_tokens(answer.body), request.prompt_tokens)
                usage = Usage(request.prompt_tokens, cached, request.generated_tokens)
                now_s, further = self._now_s, request.generated_tokens - 1
                first_s = answer.first_s - self._began_s
                self.tally.completed(
                    request,
                    usage,
                    first_s=first_s - asked_s,
                    per_token_s=(now_s - first_s) / further if further else None,
                    nanodollars=0,
                    now_s=now_s,
                )
                return
        self.tally.refused(request, Ending.LIMITED if status == 429 else Ending.SHED_PREDICTED_WAIT)

    def body(self, request: Request) -> dict[str, object]:
        """What is asked; ``stream`` and the service tier are added."""
        size = BLOCK_TOKENS * BYTES_PER_TOKEN
        text = "".join((f"{block:x} " * (size // 4))[:size] for block in request.blocks)
        return {
            "model": _MODEL,
            "messages": [{"role": "user", "content": text[: request.prompt_tokens * BYTES_PER_TOKEN]}],
            "max_tokens": request.generated_tokens,
        }

    def _written(self, request: Request) -> bytes:
        body = self.body(request) | {"stream": True, "stream_options": {"include_usage": True}}
        if request.path is ServingPath.PRIORITY and not self._gateway.is_plain:
            body["service_tier"] = "priority"
        data = json.dumps(body).encode()
        head = (
            f"POST /inference/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._gateway.keys[request.account]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data


def _cached_tokens(answer: bytes) -> int:
    found = re.search(rb'"cached_tokens": ?(\d+)', answer)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
