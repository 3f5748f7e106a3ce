"""``python -m benchmarks.policies``: print the bars of routing and overload, with other policies beside ours."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.policies.overload_bars import measured, overload_report
from benchmarks.policies.routing_bars import courses, routing_report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", type=Path, help="trace files, or folders of them; made-up ones without")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    parser.add_argument("--draws", type=int, default=5, help="how many traces of each made-up kind")
    given = parser.parse_args()
    if given.draws < 1:
        parser.error("--draws: one at least")
    files = [file for path in given.traces for file in (sorted(path.glob("*")) if path.is_dir() else [path])]
    routing_met = True
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as runner:
        for routing, met in routing_report(courses(files, quick=given.quick, draws=given.draws), runner):
            print(routing, flush=True)
            routing_met = routing_met and met
    overload, overload_met = overload_report(measured(quick=given.quick))
    print(overload)
    return 0 if routing_met and overload_met else 1


if __name__ == "__main__":
    sys.exit(main())
