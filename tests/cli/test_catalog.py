"""``servery catalog`` and the rest of the command."""

import subprocess
import sys
from pathlib import Path

import servery


def test_the_packaged_catalog_can_be_shown_and_checked(run, tmp_path: Path) -> None:
    """What ``show`` prints is a catalog without faults."""
    file = tmp_path / "catalog.yaml"
    file.write_text(run("catalog", "show", on_data=False).stdout, encoding="utf-8")
    result = run("catalog", "check", str(file), on_data=False)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{file}: 2 models, 1 routers, 3 pools, no faults\n"


def test_a_catalog_for_a_model_can_be_shown_and_checked(run, tmp_path: Path) -> None:
    """``show --model`` prints what ``serve --model`` would use."""
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    file = tmp_path / "catalog.yaml"
    shown = run("catalog", "show", "--model", str(tmp_path / "own.gguf"), on_data=False).stdout
    file.write_text(shown, encoding="utf-8")
    assert run("catalog", "check", str(file), on_data=False).stdout.endswith(
        "1 models, 1 routers, 2 pools, no faults\n"
    )


def test_faults_are_told_one_a_line(run, tmp_path: Path) -> None:
    """Each line names the program, the file, the line and the field."""
    file = tmp_path / "catalog.yaml"
    file.write_text("pools: {a: 3}\nmodels: {b: 4}\nmore: x\n", encoding="utf-8")
    result = run("catalog", "check", str(file), on_data=False)
    assert result.exit_code == 2
    assert [line.split(": ")[:3] for line in result.stderr.splitlines()] == [
        ["servery", f"{file}:1", "pools.a"],
        ["servery", f"{file}:2", "models.b"],
        ["servery", f"{file}:3", "more"],
    ]


def test_warnings_do_not_fail_a_check(run, tmp_path: Path) -> None:
    """A pool that nothing uses is worth a word, not a refusal."""
    file = tmp_path / "catalog.yaml"
    spare = "  spare:\n    engine: {kind: embedded, model: demo}\n    concurrency: 1\n"
    shown = run("catalog", "show", on_data=False).stdout
    file.write_text(shown.replace("pools:\n", "pools:\n" + spare), encoding="utf-8")
    result = run("catalog", "check", str(file), on_data=False)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {file}:")


def test_the_version_is_the_packages(run) -> None:
    """One version, told by the command."""
    assert run("version", on_data=False).stdout == f"servery {servery.__version__}\n"


def test_the_module_is_the_command() -> None:
    """``python -m servery`` runs as ``servery`` does."""
    finished = subprocess.run([sys.executable, "-m", "servery", "version"], capture_output=True, text=True, check=True)
    assert finished.stdout == f"servery {servery.__version__}\n"
