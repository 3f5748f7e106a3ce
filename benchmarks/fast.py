"""``python -m benchmarks.fast``: Fast's promise on real engines, with Standard saturated beside it.

One ``servery serve`` with two embedded engines: one serves Standard and is always full, the other Fast. First one Fast
stream after another tells what the machine can do; the target is two fifths of that. Then more clients than there are
places ask again and again, once with that target and once with one so low that it holds nothing. A stream's speed is
its tokens, after the first, over the time that they took.
"""

import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from benchmarks.place import ROOT
from benchmarks.policies.routing_bars import told
from benchmarks.started import Started, ended_by_signals
from servery.simulation.reports.text import aligned

_PLACES, _CLIENTS, _SATURATING, _TOKENS = 8, 12, 4, 120
_ALONE_S, _WARM_S, _SECONDS = 8.0, 10.0, 20.0
_NO_TARGET = 0.001
_SHARE_OF_ALONE = 0.4
_STANDARD, _FAST = "accounts/servery/models/demo", "accounts/servery/routers/demo-fast"


class Gateway(msgspec.Struct, frozen=True):
    """Where it listens, and a key."""

    port: int
    key: str


class Heard(msgspec.Struct):
    """Tokens per second of each Fast stream that began in the window, and how many calls were refused."""

    speeds: list[float]
    refused: int = 0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.speeds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    build = ROOT / "build/bench"
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="scratch-") as folder, ended_by_signals():
        scratch = Path(folder)
        with _gateway(scratch, target=_NO_TARGET) as gateway:
            alone = _measured(gateway, clients=1, warm_s=2.0, seconds=_ALONE_S)
            without = _measured(gateway, clients=_CLIENTS, warm_s=_WARM_S, seconds=_SECONDS)
        target = _SHARE_OF_ALONE * alone.percentile(0.1)
        with _gateway(scratch, target=target) as gateway:
            held = _measured(gateway, clients=_CLIENTS, warm_s=_WARM_S, seconds=_SECONDS)
    lines = [["Fast streams, Standard saturated", "tokens/s p10", "p50", "streams", "refused"]]
    for name, heard in (("one after another", alone), ("no target", without), (f"target {target:.0f}", held)):
        cells = [f"{heard.percentile(share):.1f}" for share in (0.1, 0.5)]
        lines.append([name, *cells, str(len(heard.speeds)), str(heard.refused)])
    p10 = held.percentile(0.1)
    bars, met = told([(f"p10 at least the target: {p10 / target:.2f} of it", p10 >= target)])
    print(f"{aligned(lines)}\n{bars}")
    return 0 if met else 1


@contextmanager
def _gateway(scratch: Path, *, target: float) -> Iterator[Gateway]:
    number = sum(1 for _ in scratch.iterdir())
    catalog, data = scratch / f"{number}.json", scratch / f"{number}-data"
    catalog.write_text(_catalog(target))
    data.mkdir()
    command = [sys.executable, "-m", "servery", "serve", "--port", "0", "--catalog", str(catalog)]
    command += ["--data-dir", str(data), "--limit-requests-per-minute", "1000000"]
    for limit in ("prompt", "uncached-prompt", "generated"):
        command += [f"--limit-start-{limit}-tokens-per-minute", "1000000000"]
    with Started(command, log=scratch / f"{number}.log", folder=ROOT) as process:
        said = process.wait_for_output("Ctrl-C stops.", timeout_s=60)
        port, key = re.search(r"http://127\.0\.0\.1:(\d+)", said), re.search(r"API key +(\S+)", said)
        assert port is not None, "it says where it listens"
        assert key is not None, "and with which key"
        yield Gateway(int(port[1]), key[1])


def _catalog(target: float) -> str:
    def pool(places: int) -> dict[str, object]:
        engine = {"kind": "embedded", "model": "demo", "slots": places, "context_length": 1024}
        return {"engine": engine, "concurrency": places, "queue": 64, "replicas": 1}

    model = {
        "pool": "shared",
        "context_length": 1024,
        "capabilities": ["chat"],
        "prices": {"standard": {"input": 1, "output": 1}},
        "created": "2026-11-20",
        "limits": dict.fromkeys(("prompt", "uncached_prompt", "generated"), 1_000_000_000),
    }
    router = {
        "model": "demo",
        "pool": "quick",
        "prices": {"input": 2, "output": 2},
        "target_tokens_per_second": target,
    }
    pools = {"shared": pool(_SATURATING), "quick": pool(_PLACES)}
    return json.dumps({"pools": pools, "models": {"demo": model}, "routers": {"demo-fast": router}})


def _measured(gateway: Gateway, *, clients: int, warm_s: float, seconds: float) -> Heard:
    heard, over = Heard([]), threading.Event()
    from_s = time.monotonic() + warm_s
    with ThreadPoolExecutor(clients + _SATURATING) as pool:
        asking = [pool.submit(_ask_on, gateway, _STANDARD, over, None, 0.0) for _ in range(_SATURATING)]
        asking += [pool.submit(_ask_on, gateway, _FAST, over, heard, from_s) for _ in range(clients)]
        time.sleep(warm_s + seconds)
        over.set()
        for one in asking:
            one.result()
    return heard


def _ask_on(gateway: Gateway, model: str, over: threading.Event, heard: Heard | None, from_s: float) -> None:
    """Again and again. What began before ``from_s`` is not heard."""
    while not over.is_set():
        speed, began_s = _streamed(gateway, model)
        if heard is not None and began_s >= from_s:
            if speed is None:
                heard.refused += 1
            else:
                heard.speeds.append(speed)
        if speed is None:
            time.sleep(0.2)


def _streamed(gateway: Gateway, model: str) -> tuple[float | None, float]:
    """Tokens per second, None for a refusal, and when the first one came."""
    body = {"model": model, "stream": True, "max_tokens": _TOKENS, "ignore_eos": True}
    body |= {"messages": [{"role": "user", "content": "Tell me a story."}]}
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {gateway.key}", "Content-Type": "application/json"}
        connection.request("POST", "/inference/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        first_s = last_s = time.monotonic()
        if response.status == 503:
            response.read()
            return None, first_s
        assert response.status == 200, response.read()
        tokens = 0
        for line in response:
            if b'"content":"' in line:
                last_s = time.monotonic()
                first_s = first_s if tokens else last_s
                tokens += 1
        return (tokens - 1) / max(last_s - first_s, 1e-9), first_s
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
