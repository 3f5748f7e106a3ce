"""``python -m benchmarks.policies.agreement``: the same requests in the simulator and in real processes.

Real are the engines' queues and caches (``caching_engine``), a whole ``servery serve`` before them, the sockets and the
clock. Once Servery routes, and once the client itself sends to the engines in turn. Compared are times to the first
token and cached tokens, and whether both come out in the same order.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.cores import Cores, pinned
from benchmarks.mock_engine import BYTES_PER_TOKEN, WORD
from benchmarks.peers.servery import Servery
from benchmarks.place import ROOT, Place
from benchmarks.started import Started, ended_by_signals
from servery.simulation.clients import Clients
from servery.simulation.described.policy import Admission, Policy, Routing
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Spread, spread_of, summary_of
from servery.simulation.reports.text import aligned
from servery.simulation.simulation import Simulation
from servery.simulation.traces.request import Request
from servery.simulation.traces.synthetic import BLOCK_TOKENS, Kind, SyntheticTrace

_ENGINES, _TOKENS_PER_S, _CACHE_TOKENS, _GAP_MS = 4, 8_000, 400_000, 20
_REQUESTS, _REQUESTS_PER_S, _SEED = 600, 13.0, 5
_FLEET = f"""
pools:
  shared:
    replicas: {_ENGINES}
    concurrency: 4096
    queue: 4096
    engine:
      prefill_tokens_per_s: {_TOKENS_PER_S}
      decode_tokens_per_s: {1000 // _GAP_MS}
      sequences: 4096
      cache_tokens: {_CACHE_TOKENS}
paths:
  standard: {{pool: shared, price: {{input: "0.5", output: "1.5"}}}}
"""


class OneTenant:
    """Made-up conversations of one account, which sends no session."""

    block_tokens = BLOCK_TOKENS

    def requests(self) -> Iterator[Request]:
        trace = SyntheticTrace(Kind.CHAT, requests=_REQUESTS, requests_per_s=_REQUESTS_PER_S, accounts=1, seed=_SEED)
        return (msgspec.structs.replace(one, session=None) for one in trace.requests())


class Shown(msgspec.Struct, frozen=True):
    """What came of all requests. ``late_s`` is by how much the client was late at worst."""

    first: Spread
    hit_rate: float
    late_s: float = 0.0


class Target(msgspec.Struct, frozen=True):
    """Where requests go: to these ports in turn."""

    ports: tuple[int, ...]
    path: str
    model: str
    authorization: str


def main() -> int:
    cores = Cores.of_this_machine()
    build = ROOT / "build/bench"
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="scratch-") as scratch, ended_by_signals():
        place = Place(build=build, scratch=Path(scratch), cores=cores)
        real = {"servery": _through_servery(place), "round_robin": _in_turn(place)}
    simulated = {
        "servery": _simulated(Policy(name="servery")),
        "round_robin": _simulated(Policy(name="rr", routing=Routing.ROUND_ROBIN, admission=Admission.NONE)),
    }
    lines = [["routing", "", "first token mean, s", "p50, s", "p90, s", "cached"]]
    for name, found in real.items():
        for kind, shown in (("real", found), ("simulated", simulated[name])):
            first = shown.first
            cells = [f"{value:.3f}" for value in (first.mean, first.p50, first.p90, shown.hit_rate)]
            lines.append([name, kind, *cells])
    print(aligned(lines))
    for name, shown in real.items():
        error = simulated[name].first.mean / shown.first.mean - 1
        print(f"{name}: simulated mean {100 * error:+.1f} % of the real; the client was late by {shown.late_s:.3f} s")
    same = _order(real) == _order(simulated)
    print(f"ranking: {'the same' if same else 'not the same'}")
    return 0 if same else 1


def _order(shown: dict[str, Shown]) -> list[str]:
    return sorted(shown, key=lambda name: shown[name].first.mean)


def _simulated(policy: Policy) -> Shown:
    simulation = Simulation(read_fleet(_FLEET, source="agreement"), policy, OneTenant(), clients=Clients(), seed=0)
    simulation.run()
    simulation.check_integrity()
    total = summary_of(policy.name, simulation.tally, simulation.pools).total
    assert total.time_to_first_token_s is not None, "all are served"
    return Shown(total.time_to_first_token_s, total.hit_rate)


def _through_servery(place: Place) -> Shown:
    with _engines(place) as process, Servery().started(place, _ports(process)) as gateway:
        target = Target((gateway.port,), gateway.path, gateway.model, gateway.authorizations[0])
        return asyncio.run(_replayed(target))


def _in_turn(place: Place) -> Shown:
    with _engines(place) as process:
        return asyncio.run(_replayed(Target(tuple(_ports(process)), "/v1/chat/completions", "mock", "Bearer none")))


def _engines(place: Place) -> Started:
    command = [sys.executable, "-m", "benchmarks.policies.caching_engine", "--ports", str(_ENGINES)]
    command += ["--tokens-per-s", str(_TOKENS_PER_S), "--cache-tokens", str(_CACHE_TOKENS)]
    command += ["--block-tokens", str(BLOCK_TOKENS), "--gap-ms", str(_GAP_MS)]
    return Started(pinned(command, place.cores.load), log=place.scratch / "engines.log", folder=ROOT)


def _ports(process: Started) -> list[int]:
    return list(json.loads(process.wait_for_output("]}\n", timeout_s=30))["ports"])


async def _replayed(target: Target) -> Shown:
    """All requests at their times, whether or not earlier ones are answered."""
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, request in enumerate(OneTenant().requests()):
            await asyncio.sleep(max(0.0, began_s + request.arrives_s - time.monotonic()))
            late_s = time.monotonic() - began_s - request.arrives_s
            port = target.ports[number % len(target.ports)]
            tasks.append((late_s, group.create_task(_asked(target, port, request))))
    done = [task.result() for _, task in tasks]
    spread = spread_of([first_s for first_s, _, _ in done])
    assert spread is not None, "there are requests"
    hit_rate = sum(cached for _, cached, _ in done) / sum(prompt for _, _, prompt in done)
    return Shown(spread, hit_rate, max(late_s for late_s, _ in tasks))


async def _asked(target: Target, port: int, request: Request) -> tuple[float, int, int]:
    """Seconds to the first token, cached tokens, prompt tokens."""
    asked_s = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_written(target, request))
        answer, first_s = b"", 0.0
        while b"[DONE]" not in answer:
            piece = await reader.read(65_536)
            assert piece, f"the answer broke off: {answer[-300:]!r}"
            answer += piece
            if not first_s and WORD.encode() in answer:
                first_s = time.monotonic() - asked_s
    finally:
        writer.close()
    assert first_s, f"no token came: {answer[:300]!r}"
    return first_s, _number(rb'"cached_tokens": ?(\d+)', answer), _number(rb'"prompt_tokens": ?(\d+)', answer)


def _number(pattern: bytes, answer: bytes) -> int:
    found = re.search(pattern, answer)
    assert found is not None, f"no usage in {answer[-600:]!r}"
    return int(found[1])


def _written(target: Target, request: Request) -> bytes:
    body = json.dumps(
        {
            "model": target.model,
            "messages": [{"role": "user", "content": _text(request.blocks, request.prompt_tokens)}],
            "max_tokens": request.generated_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {target.authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _text(blocks: Sequence[int], tokens: int) -> str:
    """A prompt with those blocks: equal ids are equal text."""
    size = BLOCK_TOKENS * BYTES_PER_TOKEN
    return "".join((f"{block:x} " * (size // 8))[:size] for block in blocks)[: tokens * BYTES_PER_TOKEN]


if __name__ == "__main__":
    sys.exit(main())
