"""``servery audit``."""

import json


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
    assert {(entry["principal"], entry["is_admin_action"]) for entry in entries} == {("command-line", True)}
    assert len(run("audit", "acme", "--most", "2").stdout.splitlines()) == 3
