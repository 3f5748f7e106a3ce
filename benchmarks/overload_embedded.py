"""``python -m benchmarks.overload_embedded``: twice what two embedded engines can do, in about nine minutes.

The scenario of ``benchmarks.overload`` with engines that compute: llama.cpp with the demo model, eight places each.
What they can do is measured first, in calm times and behind one plain line that is never empty. The same fleet with
these speeds is simulated beside it.

A machine that others use too is now faster and now slower. So all gateways are there from the start, and the requests
are replayed in pieces: a piece by one of them, then by the next. No process is bound to a core, because the engines are
what needs them.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.cores import Cores
from benchmarks.embedded_fleet import (
    CONTEXT,
    ENGINES,
    PLACES,
    QUEUE,
    attainable,
    calm,
    described,
    measured_speeds,
    offered,
    simulated,
)
from benchmarks.overload import AGAIN_AFTER_S, Replay, started
from benchmarks.overload_scenario import Runs, report
from benchmarks.place import ROOT, Place
from benchmarks.policies.overload_bars import PriorityAlone
from benchmarks.started import ended_by_signals
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request, Trace

_TOO_MANY_PER_S, _FILLING_S = 100.0, 3.0
_PIECES, _PIECE_S = 3, 40.0
_MOST_RETRIES = 8
_AMPLE = 10**12
_MODEL = "accounts/servery/models/demo"


class _Replay(Replay):
    """Asks for as many words as the prompt has tokens, and takes all that it asks for."""

    first_word = b'"content":"'

    def body(self, request: Request) -> dict[str, object]:
        words = " ".join(str(request.blocks[0] + number)[-3:] for number in range(min(200, request.prompt_tokens // 2)))
        return {
            "model": _MODEL,
            "messages": [{"role": "user", "content": words}],
            "max_tokens": request.generated_tokens,
            "ignore_eos": True,
        }


def main() -> int:
    build = ROOT / "build/bench"
    build.mkdir(parents=True, exist_ok=True)
    filling = offered(_TOO_MANY_PER_S, seconds=_FILLING_S)
    with tempfile.TemporaryDirectory(dir=build, prefix="scratch-") as scratch, ended_by_signals(), ExitStack() as stack:
        place = Place(build=build, scratch=Path(scratch), cores=Cores())
        replays = {name: _replay(stack, place, name) for name in ("alone", "servery", "plain", "storm")}
        calmly = [_summed(one(0), calm()) for one in replays.values()]
        full = _summed(replays["plain"](0), filling)
        per_s = full.total.endings[Ending.COMPLETED] / full.duration_s
        twice = offered(2.0 * per_s, seconds=_PIECES * _PIECE_S)
        real = _in_pieces({name: one(_MOST_RETRIES if name == "storm" else 0) for name, one in replays.items()}, twice)
    speeds = measured_speeds(calmly[0], full, filling)
    simulation = simulated(described(speeds), twice, again_after_s=AGAIN_AFTER_S, retries=_MOST_RETRIES)
    text, met = report(real, simulation)
    print(f"{per_s:.1f} calls a second are all that the engines can do; offered are twice as many")
    print(f"{text}\n{attainable(speeds, real, per_s=per_s)}")
    return 0 if met else 1


def _summed(replay: _Replay, trace: Trace) -> Summary:
    return summary_of("real", uvloop.run(replay.run(trace)), {})


def _replay(stack: ExitStack, place: Place, name: str) -> Callable[[int], _Replay]:
    accounts = {request.account for request in offered(1.0, seconds=1_000.0).requests()}
    gateway = stack.enter_context(started(place, name, _catalog(), accounts, is_plain=name == "plain"))
    return partial(_Replay, gateway)


def _in_pieces(replays: Mapping[str, _Replay], trace: Trace) -> Runs:
    """Each gateway its own piece of the same requests; then the next piece."""
    for piece in range(_PIECES):
        for name, replay in replays.items():
            its = PriorityAlone(trace) if name == "alone" else trace
            uvloop.run(replay.run_piece(_piece(its, piece), from_s=piece * _PIECE_S))
    summaries = {name: summary_of(name, replay.tally, {}) for name, replay in replays.items()}
    return Runs(
        unloaded=summaries["alone"], ours=summaries["servery"], plain=summaries["plain"], storm=summaries["storm"]
    )


def _piece(trace: Trace, number: int) -> Iterator[Request]:
    return (one for one in trace.requests() if number <= one.arrives_s / _PIECE_S < number + 1)


def _catalog() -> str:
    price = {"input": 0.5, "cached_input": 0.25, "output": 1.5}
    model = {
        "pool": "demo",
        "context_length": CONTEXT,
        "capabilities": ["chat"],
        "prices": {"standard": price, "priority": {name: 1.5 * one for name, one in price.items()}},
        "created": "2026-11-20",
        "limits": dict.fromkeys(("prompt", "uncached_prompt", "generated"), _AMPLE),
    }
    engine = {"kind": "embedded", "model": "demo", "slots": PLACES, "context_length": CONTEXT}
    pool = {"engine": engine, "concurrency": PLACES, "queue": QUEUE, "replicas": ENGINES}
    return json.dumps({"account": "servery", "pools": {"demo": pool}, "models": {"demo": model}})


if __name__ == "__main__":
    sys.exit(main())
