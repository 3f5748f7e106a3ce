"""Commands are imported when they are called."""

import subprocess
import sys

import click
import pytest

from servery.cli.main import COMMANDS, servery

HEAVY = {"servery.app", "starlette", "uvloop", "httpx", "httpx2", "psycopg", "yaml", "servery.routing.router"}
"""What a command that looks at books has no use for."""
LISTS_HEAVY = f"""
import sys
from click.testing import CliRunner
from servery.cli.main import servery
result = CliRunner().invoke(servery, sys.argv[1:], prog_name="servery")
assert "Traceback" not in result.output, result.output
print(*sorted(set(sys.modules) & {HEAVY!r}))
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """Its name and its line, though nothing is imported to list them."""
    command = COMMANDS[name].load()
    assert command.name == name
    assert COMMANDS[name].summary == command.get_short_help_str(limit=200)


def test_help_lists_every_command(run) -> None:
    """One line each, in the order of their names."""
    text = run("--help", on_data=False).stdout
    lines = [
        line.split()[0]
        for line in text[text.index("Commands:") :].splitlines()[1:]
        if line.startswith("  ") and line[2] != " "
    ]
    assert lines == servery.list_commands(click.Context(servery)) == sorted([*COMMANDS, "version"])


def test_an_unknown_command_is_refused(run) -> None:
    """As by any group."""
    result = run("serv", on_data=False)
    assert (result.exit_code, "No such command 'serv'" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "words", [["--help"], ["version"], ["key", "list"], ["ledger", "verify"], ["ledger", "--help"], ["usage"]]
)
def test_small_commands_import_little(words: list[str]) -> None:
    """Neither the platform nor what it is made of."""
    place = [] if words[-1] in {"--help", "version"} else ["--data-dir", "/nowhere"]
    done = subprocess.run(
        [sys.executable, "-c", LISTS_HEAVY, *words, *place], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
