"""``python -m benchmarks``: measure everything, print the table, write it down."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.comparison import compare
from benchmarks.cores import Cores
from benchmarks.form import add_form_option, python_with_servery
from benchmarks.growth import growths
from benchmarks.held_streams import hold
from benchmarks.machine import described
from benchmarks.measure import LoadFailed
from benchmarks.peers.direct import Direct
from benchmarks.peers.litellm import LiteLlm
from benchmarks.peers.nginx import Nginx
from benchmarks.peers.peer import Peer
from benchmarks.peers.portkey import Portkey
from benchmarks.peers.routers import RUST_ROUTERS
from benchmarks.peers.servery import Servery
from benchmarks.place import ROOT, Place
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.results import HeldStreams, Results, decoded, encoded
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.started import NotStarted, ended_by_signals

PEERS: tuple[Peer, ...] = (Direct(), Servery(), Nginx(), *RUST_ROUTERS, LiteLlm(), Portkey())
BUILD = ROOT / "build/bench"
PARTS = ("gateways", "held", "growth")


def main() -> int:
    given = _arguments()
    sizes, name = (QUICK, "quick") if given.quick else (FULL, "full")
    BUILD.mkdir(parents=True, exist_ok=True)
    results_file = BUILD / f"{name}.json"
    if not given.redraw:
        try:
            python = python_with_servery(given.form)
            results_file.write_bytes(encoded(_run(given.parts or PARTS, given.only, sizes, python)))
        except KeyboardInterrupt:
            print("\nInterrupted: nothing was written, nothing is left running.", file=sys.stderr)
            return 130
    folder = BUILD if given.quick or given.parts or given.only else ROOT / "docs"
    _write(decoded(results_file.read_bytes()), folder)
    return 0


def _run(parts: tuple[str, ...], only: str, sizes: Sizes, python: Path) -> Results:
    cores = Cores.of_this_machine()
    # Beside the peers and not in the system's folder for such things, which may not be a disk: a durable ledger is.
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="scratch-") as scratch, ended_by_signals():
        place = Place(build=BUILD, scratch=Path(scratch), cores=cores, python=python)
        peers = [peer for peer in PEERS if only.lower() in peer.name.lower()]
        return Results(
            machine=described(cores),
            rounds=sizes.rounds,
            rows=compare(peers, place, sizes) if "gateways" in parts else [],
            held=_held(place, sizes) if "held" in parts else None,
            growth=growths(place, sizes) if "growth" in parts else [],
            finished=time.strftime("%Y-%m-%d"),
        )


def _held(place: Place, sizes: Sizes) -> HeldStreams | None:
    print("  2,000 open streams", flush=True)
    try:
        return hold(place, sizes)
    except (LoadFailed, NotStarted) as error:
        print(f"  not measured: {error}", flush=True)
        return None


def _write(results: Results, folder: Path) -> None:
    (folder / "benchmarks.svg").write_text(plot(results))
    document = folder / "benchmarks.md"
    document.write_text(report(results, plot="benchmarks.svg"))
    print(f"\n{document.read_text()}\nWritten to {document.relative_to(ROOT)}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes; written to build/bench/, not docs/")
    parser.add_argument("--redraw", action="store_true", help="measure nothing; write the last results again")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="only these; written to build/bench/")
    parser.add_argument("--only", default="", metavar="NAME", help="only gateways with this in their name")
    add_form_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
