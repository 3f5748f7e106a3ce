"""What a bare machine lacks is named in one line, with the command that brings it."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "preflight.sh"
ABLE = {"version": True, "ensurepip": True, "libgomp": True}


def python_that(directory: Path, name: str, **able: bool) -> None:
    """A stand-in for an interpreter: succeeds at what it is able to, fails at the rest."""
    cases = "\n".join(f"  *{what}*) exit {0 if can else 1} ;;" for what, can in able.items())
    file = directory / name
    file.write_text(f'#!/bin/sh\ncase "$2" in\n{cases}\nesac\n', encoding="utf-8")
    file.chmod(0o755)


def preflight(bin_directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run on a machine whose only programs are the stand-ins and the shell's few helpers."""
    for name in ("uname", "id", "grep"):
        found = next(Path(place) / name for place in os.defpath.split(":") if (Path(place) / name).exists())
        if not (bin_directory / name).exists():
            (bin_directory / name).symlink_to(found)
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={"PATH": str(bin_directory), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_fitting_python_is_chosen(tmp_path: Path) -> None:
    """python3 where it is new enough, else a newer one by its name."""
    python_that(tmp_path, "python3", **{**ABLE, "version": False})
    python_that(tmp_path, "python3.12", **ABLE)
    result = preflight(tmp_path)
    assert (result.returncode, result.stdout) == (0, "python3.12\n")
    python_that(tmp_path, "python3", **ABLE)
    assert preflight(tmp_path).stdout == "python3\n"
    assert preflight(tmp_path, PYTHON="python3.12").stdout == "python3.12\n"


@pytest.mark.parametrize(
    ("able", "packages"),
    [
        ({**ABLE, "ensurepip": False}, "python3-venv"),
        ({**ABLE, "libgomp": False}, "libgomp1"),
        ({**ABLE, "ensurepip": False, "libgomp": False}, "python3-venv libgomp1"),
        ({**ABLE, "version": False}, "python3 python3-venv"),
    ],
)
def test_all_that_is_missing_is_named_at_once(tmp_path: Path, able: dict[str, bool], packages: str) -> None:
    """One line on standard error that ends with the command; nothing on standard output; failure."""
    python_that(tmp_path, "python3", **able)
    result = preflight(tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("servery needs ")
    assert line.endswith(f"apt-get install {packages}")


def test_a_python_that_was_asked_for_and_does_not_fit_is_named(tmp_path: Path) -> None:
    """``PYTHON=`` is not silently passed over for another."""
    python_that(tmp_path, "python3", **ABLE)
    python_that(tmp_path, "old", **{**ABLE, "version": False})
    result = preflight(tmp_path, PYTHON="old")
    assert result.returncode == 1
    assert "PYTHON=old" in result.stderr
