"""``python -m benchmarks.overload_embedded``: twice what two embedded engines can do, in about a minute and a half.

The scenario of ``benchmarks.overload`` with engines that compute: llama.cpp with the demo model, eight places each.
What they can do is measured first, behind one plain line that is never empty. So few places are far below what
Priority's bar needs (docs/admission.md tells how many that are): the bars are printed all the same.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.cores import Cores
from benchmarks.overload import Replay, started
from benchmarks.overload_scenario import Runs, real_report
from benchmarks.place import ROOT, Place
from benchmarks.policies.overload_bars import PRIORITY_SHARE, PriorityAlone
from benchmarks.started import ended_by_signals
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

_ENGINES, _PLACES, _QUEUE, _CONTEXT = 2, 8, 400, 1_024
_TRAFFIC = Traffic(turns=1, new_tokens=100, answer_tokens=120)
_TOO_MANY_PER_S, _MEASURED_S, _SECONDS = 100.0, 6.0, 14.0
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
    with tempfile.TemporaryDirectory(dir=build, prefix="scratch-") as scratch, ended_by_signals():
        place = Place(build=build, scratch=Path(scratch), cores=Cores.of_this_machine())
        full = _run(place, "full", _offered(_TOO_MANY_PER_S, seconds=_MEASURED_S), is_plain=True)
        per_s = full.total.endings[Ending.COMPLETED] / full.duration_s
        twice = _offered(2.0 * per_s, seconds=_SECONDS)
        real = Runs(
            unloaded=_run(place, "alone", PriorityAlone(twice)),
            ours=_run(place, "servery", twice),
            plain=_run(place, "plain", twice, is_plain=True),
            storm=_run(place, "storm", twice, retries=8),
        )
    text, met = real_report(real)
    print(f"{per_s:.1f} calls a second are all that the engines can do; offered are twice as many\n{text}")
    return 0 if met else 1


def _offered(per_s: float, *, seconds: float) -> Trace:
    trace = SyntheticTrace(
        Kind.NOISY, requests=round(per_s * seconds), requests_per_s=per_s, accounts=10, seed=3, traffic=_TRAFFIC
    )
    return ShapedTrace(trace, Shape(priority_share=PRIORITY_SHARE, seed=3))


def _run(place: Place, name: str, trace: Trace, *, is_plain: bool = False, retries: int = 0) -> Summary:
    accounts = {request.account for request in trace.requests()}
    with started(place, name, _catalog(), accounts, is_plain=is_plain) as gateway:
        return summary_of(name, asyncio.run(_Replay(gateway, retries).run(trace)), {})


def _catalog() -> str:
    price = {"input": 0.5, "cached_input": 0.25, "output": 1.5}
    model = {
        "pool": "demo",
        "context_length": _CONTEXT,
        "capabilities": ["chat"],
        "prices": {"standard": price, "priority": {name: 1.5 * one for name, one in price.items()}},
        "created": "2026-11-20",
        "limits": dict.fromkeys(("prompt", "uncached_prompt", "generated"), _AMPLE),
    }
    engine = {"kind": "embedded", "model": "demo", "slots": _PLACES, "context_length": _CONTEXT * _PLACES}
    pool = {"engine": engine, "concurrency": _PLACES, "queue": _QUEUE, "replicas": _ENGINES}
    return json.dumps({"account": "servery", "pools": {"demo": pool}, "models": {"demo": model}})


if __name__ == "__main__":
    sys.exit(main())
