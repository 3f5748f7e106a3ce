"""Where things are, and on which cores they run."""

import sys
from pathlib import Path

import msgspec

from benchmarks.cores import Cores

ROOT = Path(__file__).parents[1]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """``build`` keeps installed peers between runs; ``scratch`` is new for each run. ``python`` is the one that runs
    Servery."""

    build: Path
    scratch: Path
    cores: Cores
    python: Path = Path(sys.executable)
