"""Peers from the Python package index: each in a virtual environment of its own, pinned by a file beside this one."""

import subprocess
import sys
from pathlib import Path

from benchmarks.peers.peer import NotInstalled
from benchmarks.place import Place

_INSTALL_LIMIT_S = 900.0


def environment(place: Place, name: str) -> Path:
    """The ``bin`` folder of an environment with what ``requirements/<name>.txt`` pins. Raises NotInstalled."""
    requirements = Path(__file__).parent / "requirements" / f"{name}.txt"
    folder = place.build / name
    done = folder / ".installed"
    wanted = requirements.read_text()
    if not done.exists() or done.read_text() != wanted:
        python = folder / "bin/python"
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
        done.write_text(wanted)
    return folder / "bin"


def version(place: Place, name: str, package: str) -> str:
    """The version of ``package`` in the environment ``name``."""
    program = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    python = environment(place, name) / "python"
    return subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"not installed within {_INSTALL_LIMIT_S:.0f} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotInstalled(f"cannot be installed: {lines[-1][:200] if lines else command}")
