"""``servery audit``."""

import json
import os
import pwd
import sqlite3
from pathlib import Path

import click
import pytest

from servery.cli.main import servery


def test_what_commands_change_is_noted(run) -> None:
    """With the command's name; newest first."""
    run("account", "create", "acme")
    run("account", "suspend", "acme")
    run("user", "create", "eve", "--account", "acme")
    run("credit", "grant", "acme", "5")
    entries = json.loads(run("audit", "acme", "--json").stdout)
    assert [entry["method"] for entry in entries] == [
        "servery credit grant",
        "servery user create",
        "servery account suspend",
        "servery account create",
    ]
    who = f"command-line/{pwd.getpwuid(os.getuid()).pw_name}"
    assert {(entry["principal"], entry["is_admin_action"]) for entry in entries} == {(who, True)}
    assert len(run("audit", "acme", "--most", "2").stdout.splitlines()) == 3


MODEL = "accounts/servery/models/demo"
CHANGES = {
    "account create": ("other",),
    "account suspend": ("acme",),
    "account resume": ("acme",),
    "account pin-tier": ("acme", "2"),
    "account set-billing": ("acme", "prepaid"),
    "account limit": ("acme", "10"),
    "user create": ("eve", "--account", "acme"),
    "user update": ("default", "--account", "acme", "--display-name", "First"),
    "user delete": ("adam", "--account", "acme"),
    "key create": ("--account", "acme"),
    "key revoke": ("KEY", "--account", "acme"),
    "credit grant": ("acme", "5"),
    "credit create-code": ("5",),
    "credit disable-code": ("CODE",),
    "price set": (MODEL, "--input", "1"),
    "limits set": (MODEL, "--account", "acme", "--prompt", "1000"),
    "limits clear": (MODEL, "--account", "acme"),
    "invoice close": ("2020-01",),
    "ledger reverse": ("TRANSFER",),
    "ledger acknowledge": (),
    "ledger rebuild": (),
}
"""Every command that changes something, with what to call it with."""
READING = {
    "account list", "account show", "audit", "catalog check", "catalog show", "credit list", "credit list-codes",
    "invoice list", "invoice show", "key list", "ledger balances", "ledger verify", "limits show", "price list",
    "simulate", "usage", "usage costs", "usage export", "user list", "version",
}  # fmt: skip
"""All others, but for ``serve``."""


def commands() -> set[str]:
    """As they are typed."""
    found = set()
    context = click.Context(servery)
    for name in servery.list_commands(context):
        command = servery.get_command(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) else []
        found |= {f"{name} {each}" for each in inner}
        if not inner or (isinstance(command, click.Group) and command.invoke_without_command):
            found.add(name)
    return found


def test_every_command_is_known_to_these_tests() -> None:
    """Whoever adds a command says here whether it changes anything."""
    assert commands() == READING | CHANGES.keys() | {"serve"}


@pytest.fixture
def prepared(run, books: Path) -> dict[str, str]:
    """Books with a user, a code and limits to do away with; what their ids are."""
    run("user", "create", "adam", "--account", "acme")
    run("credit", "create-code", "5")
    run("limits", "set", MODEL, "--account", "acme", "--generated", "1000")
    with sqlite3.connect(books / "servery.db") as connection:
        words = {
            "KEY": connection.execute("SELECT key_id FROM api_keys").fetchone()[0],
            "CODE": connection.execute("SELECT id FROM credit_codes").fetchone()[0],
            "TRANSFER": connection.execute("SELECT request_id FROM usage_records").fetchone()[0],
        }
    connection.close()
    return words


def dump(file: Path) -> list[str]:
    """All that stands in the database but what is counted behind the postings."""
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    connection.close()
    counted = ("usage_rollups", "usage_series", "watermarks", "billed_", "price_versions")
    return [line for line in lines if not line.startswith(tuple(f'INSERT INTO "{name}' for name in counted))]


@pytest.mark.parametrize("command", CHANGES)
def test_each_change_is_noted_once(run, books: Path, prepared: dict[str, str], command: str) -> None:
    """By its name, with its words."""
    words = [prepared.get(word, word) for word in CHANGES[command]]
    with sqlite3.connect(books / "servery.db") as connection:
        before = connection.execute("SELECT max(sequence) FROM audit_logs").fetchone()
        result = run(*command.split(), *words)
        assert result.exit_code == 0, result.stderr
        noted = connection.execute("SELECT method, payload FROM audit_logs WHERE sequence > ?", before).fetchall()
    connection.close()
    assert [method for method, _ in noted] == [f"servery {command}"]
    assert set(json.loads(noted[0][1]).values()) >= {word for word in words if word in prepared.values()}


@pytest.mark.parametrize("command", CHANGES)
def test_what_cannot_be_noted_is_not_done(run, books: Path, prepared: dict[str, str], command: str) -> None:
    """Change and entry are one transaction: where the log takes no entry, the database stays as it was."""
    words = [prepared.get(word, word) for word in CHANGES[command]]
    with sqlite3.connect(books / "servery.db") as connection:
        connection.execute(
            "CREATE TRIGGER no_entries BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no entries'); END"
        )
    connection.close()
    before = dump(books / "servery.db")
    assert run(*command.split(), *words).exit_code == 2
    assert dump(books / "servery.db") == before
