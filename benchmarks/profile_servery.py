"""Where Servery's time goes: ``python -m benchmarks.profile_servery`` samples it with py-spy under the table's loads.

Prints, for JSON requests and for streams, the functions that were on the CPU, alone and with what they called, as
shares of the gateway's samples. Native frames (uvloop, llhttp, SQLite, system calls) are shown too. Writes the stacks,
in the collapsed form that flame graph programs read, to ``build/bench/profile/``.
"""

import argparse
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

from benchmarks.cores import Cores
from benchmarks.engines import mock_engines
from benchmarks.measure import Shape, cpu_us_per_chunk, cpu_us_per_request, run_load
from benchmarks.peers.peer import Gateway
from benchmarks.peers.python_package import environment
from benchmarks.peers.servery import Servery
from benchmarks.place import ROOT, Place
from benchmarks.started import ended_by_signals

SAMPLES_PER_S = 400
SHOWN = 45

SHAPES = {
    "json": Shape(connections=32, chunks=None, warm_s=2, window_s=8),
    "streams": Shape(connections=200, chunks=100, ramp_s=1, warm_s=2, window_s=8),
}


def profile(name: str, place: Place, *, native: bool) -> None:
    stacks = place.build / "profile" / f"{name}.txt"
    stacks.parent.mkdir(parents=True, exist_ok=True)
    environment(place, "py-spy")  # installed before the load runs, not while it does
    shape = SHAPES[name]
    with mock_engines(place) as ports, Servery().started(place, ports) as gateway:
        plain = run_load(shape, gateway, place)
        sampler = threading.Timer(shape.warm_s, _sample, (gateway, place, stacks, shape.window_s, native))
        sampler.start()
        run_load(shape, gateway, place)
        sampler.join()
    unit = "request" if shape.chunks is None else "chunk"
    cost = cpu_us_per_request(plain) if shape.chunks is None else cpu_us_per_chunk(plain)
    print(f"\n{name}: {cost:.1f} µs of CPU per {unit} without the profiler; stacks in {stacks.relative_to(ROOT)}")
    _tell(stacks.read_text())


def shares(stacks: str) -> tuple[dict[str, float], dict[str, float]]:
    """(alone, with callees) for each frame in collapsed stacks, as shares of all samples."""
    alone: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        alone[frames[-1]] += int(count)
        for frame in set(frames):
            together[frame] += int(count)
    total = alone.total() or 1
    return (
        {frame: number / total for frame, number in alone.most_common()},
        {frame: number / total for frame, number in together.most_common()},
    )


def _sample(gateway: Gateway, place: Place, stacks: Path, seconds: float, native: bool) -> None:  # noqa: FBT001
    program = str(environment(place, "py-spy") / "py-spy")
    command = [program, "record", "--pid", str(gateway.pid), "--format", "raw", "--output", str(stacks)]
    command += [
        "--gil",
        "--threads",
        "--function",
        "--rate",
        str(SAMPLES_PER_S),
        "--duration",
        str(int(seconds)),
        *(["--native"] if native else []),
    ]
    subprocess.run(command, check=True, capture_output=True)


def _tell(stacks: str) -> None:
    alone, together = shares(stacks)
    for title, found in (("alone", alone), ("with callees", together)):
        print(f"  {title}:")
        for frame, share in list(found.items())[:SHOWN]:
            print(f"    {share:6.1%}  {frame.replace(str(ROOT), '').strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loads", nargs="*", choices=[*SHAPES, []], help="which; all without a name")
    parser.add_argument("--native", action="store_true", help="look into native code too; slower")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ended_by_signals():
        place = Place(build=ROOT / "build/bench", scratch=Path(scratch), cores=Cores.of_this_machine())
        for name in given.loads or SHAPES:
            profile(name, place, native=given.native)


if __name__ == "__main__":
    main()
