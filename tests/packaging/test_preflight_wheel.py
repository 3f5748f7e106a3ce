"""What a machine lacks to compile Servery is named in one line, with the command that brings it."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "preflight_wheel.sh"


def machine(directory: Path, *, compiler: bool, headers: bool) -> subprocess.CompletedProcess[str]:
    """Ask on a machine whose Python was made by ``gcc`` and looks for its headers in ``include``."""
    include = directory / "include"
    include.mkdir()
    if headers:
        (include / "Python.h").touch()
    python = directory / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$2" in\n*CC*) echo "gcc -pthread" ;;\n*) echo "{include}" ;;\nesac\n', encoding="utf-8"
    )
    programs = ["python", *(["gcc"] if compiler else [])]
    for name in programs:
        (directory / name).touch()
        (directory / name).chmod(0o755)
    (directory / "id").symlink_to(
        next(Path(place) / "id" for place in os.defpath.split(":") if (Path(place) / "id").exists())
    )
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), str(python)],
        env={"PATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_that_has_all_is_told_nothing(tmp_path: Path) -> None:
    """It may compile."""
    result = machine(tmp_path, compiler=True, headers=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("compiler", "headers", "packages"),
    [(False, True, "gcc"), (True, False, "python3-dev"), (False, False, "gcc python3-dev")],
)
def test_all_that_is_missing_is_named_at_once(tmp_path: Path, compiler: bool, headers: bool, packages: str) -> None:
    """One line on standard error that ends with the command; failure."""
    result = machine(tmp_path, compiler=compiler, headers=headers)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("the compiled wheel needs ")
    assert line.endswith(f"apt-get install {packages}")
