"""What processes that tests start import: the same Servery as the tests, compiled or not."""

import os
from pathlib import Path

import servery

ROOT = Path(__file__).parents[1]


def child_environment() -> dict[str, str]:
    """This process's, in which ``servery`` and ``tests`` are found."""
    ours = Path(str(servery.__file__)).parents[1]
    return {**os.environ, "PYTHONPATH": f"{ours}{os.pathsep}{ROOT}"}
