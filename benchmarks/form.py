"""In which form Servery is measured: with its hot modules compiled, or as pure Python."""

import subprocess
import sys
from argparse import ArgumentParser
from enum import StrEnum
from pathlib import Path

from benchmarks.peers.peer import NotInstalled
from benchmarks.place import ROOT

_BUILD_LIMIT_S = 1_800.0
_INSTALLED = "build/bench/servery/.installed"
_HOT = "servery.serving.pipeline"


class Form(StrEnum):
    COMPILED = "compiled"
    PURE = "pure"


def add_form_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--form",
        type=Form,
        choices=list(Form),
        help="of Servery; without: compiled where there is a C compiler with Python's headers, else pure Python",
    )


def python_with_servery(asked: Form | None) -> Path:
    """The interpreter whose environment has Servery in the form that was ``asked`` for, or in the faster one that this
    machine can make. The compiled one is built anew when the source has changed. Raises NotInstalled."""
    if asked is Form.PURE or (asked is None and not _can_compile()):
        return Path(sys.executable)
    print("  Servery's compiled form is looked for, and made where the source has changed: some minutes", flush=True)
    command = ["make", "--silent", "--no-print-directory", _INSTALLED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_BUILD_LIMIT_S)
    if done.returncode != 0:
        raise NotInstalled(f"the compiled form cannot be had:\n{done.stderr[-2_000:]}")
    return (ROOT / _INSTALLED).parent / "bin/python"


def form_found(python: Path) -> str:
    """What ``python`` imports, in words for the table."""
    program = f"import importlib; print(importlib.import_module({_HOT!r}).__file__)"
    file = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    return "pure Python" if file.endswith(".py") else "compiled"


def _can_compile() -> bool:
    asked = ["sh", str(ROOT / "tools/preflight_wheel.sh"), sys.executable]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
