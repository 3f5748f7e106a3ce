"""The lock files: every package pinned, every file known by its hash, nothing said of where it comes from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
WHEEL = ROOT / "requirements-wheel.lock"


def pinned(file: Path) -> dict[str, str]:
    """Versions by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("file", [RUNTIME, DEVELOPMENT, WHEEL], ids=lambda file: file.name)
def test_every_line_is_a_pin_a_hash_or_a_comment(file: Path) -> None:
    """No URL, no index, no path, no requirement without its hashes."""
    text = file.read_text(encoding="utf-8")
    line = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^\\]+)? \\| +--hash=sha256:[0-9a-f]{64}( \\)?| *#.*")
    assert [each for each in text.splitlines() if not line.fullmatch(each)] == []
    assert "//" not in text
    assert len(re.findall(r"==\S+.*\\\n +--hash", text)) == len(pinned(file))


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """The runtime lock has every dependency and what builds the package, the other all of that and the tools, in the
    same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    runtime, development = pinned(RUNTIME), pinned(DEVELOPMENT)
    assert wanted(project["project"]["dependencies"] + groups["build"]) <= runtime.keys()
    assert wanted(groups["dev"]) <= development.keys()
    assert runtime.items() <= development.items()


def test_what_compiles_is_what_checks() -> None:
    """The lock of the compiled wheel has all that serves and what compiles it; where the tests have it, in the same
    version: modules are compiled by the mypy that has found no fault in them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime, development, wheel = pinned(RUNTIME), pinned(DEVELOPMENT), pinned(WHEEL)
    assert wanted(project["dependency-groups"]["wheel"]) <= wheel.keys()
    assert runtime.items() <= wheel.items()
    assert {name: wheel[name] for name in wheel.keys() & development.keys()}.items() <= development.items()


def test_every_dependency_is_told_with_its_licence() -> None:
    """What the project asks for by name stands in the document of dependencies; so does all that serving installs."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = wanted(
        project["project"]["dependencies"] + [each for group in project["dependency-groups"].values() for each in group]
    )
    assert sorted(name for name in asked | pinned(RUNTIME).keys() if name not in text) == []
