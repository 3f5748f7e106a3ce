"""``servery account``."""

import json


def test_accounts_are_opened_and_listed(run) -> None:
    """An account that was opened is in the list; opening it again is refused."""
    assert run("account", "create", "acme", "--display-name", "Acme Inc").stdout == "opened the account acme\n"
    opened = json.loads(run("account", "create", "beta", "--json").stdout)
    assert (opened["id"], opened["suspend_state"]) == ("beta", "UNSUSPENDED")
    lines = run("account", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ACCOUNT", "acme", "beta"]
    assert lines[1].endswith("Acme Inc")
    assert [account["id"] for account in json.loads(run("account", "list", "--json").stdout)] == ["acme", "beta"]
    again = run("account", "create", "acme")
    assert (again.exit_code, again.stderr) == (2, "servery: The account 'acme' already exists.\n")


def test_looking_does_not_create(run, data_dir) -> None:
    """A command that shows something makes no database of its own."""
    for command in (("account", "list"), ("key", "list"), ("usage",), ("ledger", "verify"), ("ledger", "balances")):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"servery: there is no database in {data_dir}: servery serve makes one\n"
    assert not data_dir.exists()


def test_accounts_are_suspended_and_resumed(run) -> None:
    """The state is in the list with its reason; an account that does not exist is told of."""
    run("account", "create", "acme")
    told = run("account", "suspend", "acme", "--reason", "FAILED_PAYMENTS")
    assert told.stdout == "suspended the account acme: FAILED_PAYMENTS\n"
    assert run("account", "list").stdout.splitlines()[1].split()[:2] == ["acme", "FAILED_PAYMENTS"]
    assert run("account", "resume", "acme").stdout == "resumed the account acme\n"
    assert run("account", "list").stdout.splitlines()[1].split()[:2] == ["acme", "UNSUSPENDED"]
    assert run("account", "suspend", "nobody").exit_code == 2
