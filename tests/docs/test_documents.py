"""The documents say what the code does: a setting, command, option or error code without its place fails here."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import msgspec
import pytest

from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.model import Model
from servery.catalog.pool import Pool
from servery.catalog.price_row import PriceRow
from servery.catalog.reading import read_catalog
from servery.catalog.router import Router
from servery.catalog.source import default_catalog_text
from servery.cli.main import servery
from servery.cli.serve import description, serve_command
from servery.core import errors
from servery.core.misconfigured import Misconfigured
from servery.settings import Settings, read_settings, variable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LONGEST_README_LINES = 120


def sections(file: Path, level: int) -> dict[str, str]:
    """The text below each heading of ``level``."""
    parts = re.split(rf"^{'#' * level} (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, "what is listed is there"
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{path} {name}", command
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def error_classes(parent: type[errors.ServeryError]) -> Iterator[type[errors.ServeryError]]:
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from error_classes(child)


def test_each_setting_has_its_heading() -> None:
    """With its variable, its option, its default and its meaning, word by word; and no heading is left over."""
    told = sections(DOCS / "settings.md", 3)
    defaults = read_settings(environment={})
    assert told.keys() == {field.name for field in msgspec.structs.fields(Settings)}
    for field in msgspec.structs.fields(Settings):
        text = " ".join(told[field.name].split())
        default = getattr(defaults, field.name)
        shown = str(default).replace(str(Path.home()), "~")
        if default is None or isinstance(default, bool):
            shown = str(default).lower()
        assert f"`{variable(field.name)}`" in text
        assert f"`--{field.name.replace('_', '-')}`" in text
        assert f"Default: `{shown}`." in text
        assert description(field) in text


def test_each_setting_is_read() -> None:
    """A setting that nothing reads is a lie."""
    source = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py") if path.name != "settings.py"]
    unread = [
        field.name
        for field in msgspec.structs.fields(Settings)
        if not any(re.search(rf"\bsettings\.{field.name}\b", text) for text in source)
    ]
    assert set(unread) <= {"data_dir"}, "the database's place is made of it"


def test_each_command_and_option_has_its_heading() -> None:
    """And no heading is left over. The options of ``serve`` are the settings, which have a document of their own."""
    told = sections(DOCS / "cli.md", 2)
    called = dict(commands(servery, "servery"))
    assert told.keys() == called.keys()
    for path, command in called.items():
        options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
        rows = set(re.findall(r"^\| `(--[\w-]+)` \|", told[path], flags=re.MULTILINE))
        assert rows == (set() if command is serve_command else options), path


def test_each_error_has_its_row() -> None:
    """Status, code, and whether a retry helps, as the class says."""
    rows = re.findall(
        r"^\| (\d{3}) \| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", (DOCS / "errors.md").read_text(), flags=re.MULTILINE
    )
    told = {(int(status), code): retry for status, code, retry in rows}
    known = {(error.status, error.code): error.retry_helps for error in error_classes(errors.ServeryError)}
    assert told.keys() == known.keys()
    for error, retry_helps in known.items():
        assert told[error].startswith("yes") == retry_helps, error


@pytest.mark.parametrize("part", [Pool, EmbeddedEngine, UrlEngine, Model, PriceRow, Router])
def test_each_field_of_the_catalog_is_told(part: type[msgspec.Struct]) -> None:
    """Every field that may be written stands in a table's first column."""
    text = (DOCS / "catalog.md").read_text(encoding="utf-8")
    told = {
        field
        for cell in re.findall(r"^\| (`[^|]+`) \|", text, flags=re.MULTILINE)
        for field in re.findall(r"`(\w+)`", cell)
    }
    assert {field.encode_name for field in msgspec.structs.fields(part)} - {"name"} <= told


def test_the_catalogs_examples_of_faults_are_faults() -> None:
    """The form of a fault in the document is the form of a fault."""
    broken = default_catalog_text().replace("concurrency: 8", "concurrency: eight", 1)
    with pytest.raises(Misconfigured) as raised:
        read_catalog(broken, source="catalog.yaml", directory=Path(), today=date(2026, 11, 20))
    form = r"^catalog\.yaml:\d+: pools\.shared\.concurrency: expected a whole number, got 'eight'$"
    assert re.match(form, str(raised.value))
    assert re.search(form, (DOCS / "catalog.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_readme_is_short() -> None:
    """It is read as a newcomer reads: to the end."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README_LINES


@pytest.mark.parametrize("file", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda file: file.name)
def test_commands_in_documents_exist(file: Path) -> None:
    """Each ``make`` target and each ``servery`` command in a fenced block is one, with options that it has."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    called = dict(commands(servery, "servery"))
    for line in fenced_lines(file):
        words = line.removeprefix("$ ").partition("#")[0].split()
        if words[:1] == ["make"]:
            assert set(words[1:2]) <= targets, line
        if words[:1] == ["servery"]:
            path = max((path for path in called if words[: len(path.split())] == path.split()), key=len, default=None)
            assert path is not None, line
            known = {option for each in called[path].params for option in (*each.opts, *each.secondary_opts)}
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("file", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda file: file.name)
def test_links_between_documents_lead_somewhere(file: Path) -> None:
    """A relative link names a file that is there."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text(encoding="utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    """They are called by their numbers, which leave nothing out."""
    numbers = sorted(int(file.name.split("-")[0]) for file in (DOCS / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def fenced_lines(file: Path) -> list[str]:
    blocks = re.findall(r"^```\w*\n(.*?)^```", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]
