"""What ``pip install`` gets."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_is_pure_and_holds_the_data(tmp_path: Path) -> None:
    """No compiler is needed, and what the code reads at run time comes along: every file beside the code."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    source = ROOT / "src"
    beside = {
        str(path.relative_to(source))
        for path in (source / "servery").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert beside <= packed
    assert any(name.endswith("LICENSE") for name in packed)
    for ending in (".yaml", ".sql", ".gguf"):
        assert any(name.endswith(ending) for name in packed), ending
