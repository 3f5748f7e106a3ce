"""``servery key``."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servery.core.clock import SystemClock
from servery.core.errors import Unauthenticated
from servery.store.database import Database
from servery.tenancy.key_ring import KeyRing


def authenticates(data_dir: Path, key: str) -> str:
    async def check() -> str:
        async with Database.open(data_dir / "servery.db") as database:
            return (await KeyRing(database, SystemClock()).authenticate(key)).account

    return asyncio.run(check())


def test_a_created_key_works(run, data_dir: Path) -> None:
    """``key create --json`` opens a new account, says so beside the JSON, and prints a key that authenticates."""
    result = run("key", "create", "--account", "acme", "--json")
    assert result.exit_code == 0
    output = json.loads(result.stdout)
    assert output.keys() == {"key", "key_id", "account", "expires"}
    assert (output["account"], output["expires"]) == ("acme", None)
    assert result.stderr == "opened the account acme\n"
    assert authenticates(data_dir, output["key"]) == "acme"
    assert run("key", "create", "--account", "acme", "--json").stderr == ""


def test_the_database_is_for_its_owner_alone(run, data_dir: Path) -> None:
    """Keys' hashes and books are not for other users of the machine."""
    run("key", "create", "--account", "acme")
    assert (data_dir / "servery.db").stat().st_mode & 0o077 == 0


def test_text_output_is_the_key_alone(run, data_dir: Path) -> None:
    """Standard output can be put into a variable; what is said about the key goes to standard error."""
    result = run("key", "create", "--account", "acme")
    assert authenticates(data_dir, result.stdout.removesuffix("\n")) == "acme"
    assert "it does not expire" in result.stderr


def test_an_expiry_is_told(run) -> None:
    """``--expires-in 30d`` ends 30 days from now, in RFC 3339."""
    expires = json.loads(run("key", "create", "--account", "acme", "--expires-in", "30d", "--json").stdout)["expires"]
    ahead = datetime.fromisoformat(expires) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < ahead <= timedelta(days=30)


def test_a_revoked_key_is_refused_and_listed(run, data_dir: Path) -> None:
    """Revoking ends a key, not its trace."""
    created = json.loads(run("key", "create", "--account", "acme", "--display-name", "ci", "--admin", "--json").stdout)
    assert json.loads(run("key", "list", "--json").stdout)[0]["admin"] is True
    revoked = run("key", "revoke", created["key_id"], "--account", "acme")
    assert (revoked.exit_code, revoked.stdout) == (0, f"revoked {created['key_id']}\n")
    with pytest.raises(Unauthenticated):
        authenticates(data_dir, created["key"])
    header, row = run("key", "list", "--account", "acme").stdout.splitlines()
    assert header.split()[:5] == ["KEY", "ID", "ACCOUNT", "USER", "BEGINS"]
    assert row.split()[:5] == [created["key_id"], "acme", "default", created["key"][:8], "revoked"]
    assert created["key"] not in row


def test_no_list_shows_a_secret(run) -> None:
    """What was shown once is not shown again, in no form."""
    key = run("key", "create", "--account", "acme").stdout.strip()
    assert key not in run("key", "list").stdout + run("key", "list", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("key", "create", "--account", "A b"), "servery: 'A b' is not an id"),
        (("key", "create"), "Missing option '--account'"),
        (("key", "create", "--account", "a", "--expires-in", "0d"), "'0d' is not a duration"),
        (("key", "create", "--account", "a", "--expires-in", "5201w"), "'5201w' is not a duration"),
        (("key", "list", "--account", "nobody"), "servery: There is no account 'nobody'."),
        (("key", "revoke", "key_x", "--account", "acme"), "servery: The account 'acme' has no API key 'key_x'."),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(run, arguments: tuple[str, ...], told: str) -> None:
    """Exit status 2, the reason on standard error, nothing on standard output."""
    run("account", "create", "acme")
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()[-1]
    assert result.stdout == ""
