"""``python -m benchmarks.policies``: print the bars of routing and overload, with other policies beside ours."""

import argparse
import sys
from pathlib import Path

from benchmarks.policies.overload_bars import measured, overload_report
from benchmarks.policies.routing_bars import courses, routing_report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", type=Path, help="trace files, or folders of them; made-up ones without")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    given = parser.parse_args()
    files = [file for path in given.traces for file in (sorted(path.glob("*")) if path.is_dir() else [path])]
    routing, routing_met = routing_report(courses(files, quick=given.quick))
    print(routing, flush=True)
    overload, overload_met = overload_report(measured(quick=given.quick))
    print(overload)
    return 0 if routing_met and overload_met else 1


if __name__ == "__main__":
    sys.exit(main())
