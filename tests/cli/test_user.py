"""``servery user``."""

import json


def test_users_are_created_changed_and_deleted(run) -> None:
    """Each account begins with an admin; others come and go with their roles."""
    run("account", "create", "acme")
    made = run("user", "create", "eve", "--account", "acme", "--role", "contributor", "--email", "eve@example.org")
    assert made.stdout == "created the contributor eve of acme\n"
    users = {user["id"]: user for user in json.loads(run("user", "list", "--account", "acme", "--json").stdout)}
    assert {name: user["role"] for name, user in users.items()} == {"default": "admin", "eve": "contributor"}
    assert run("user", "update", "eve", "--account", "acme", "--role", "admin").exit_code == 0
    lines = run("user", "list", "--account", "acme").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["default", "admin"], ["eve", "admin"]]
    assert run("user", "delete", "eve", "--account", "acme").stdout == "deleted eve\n"
    assert len(run("user", "list", "--account", "acme").stdout.splitlines()) == 2


def test_a_service_account_has_an_address_of_its_own(run) -> None:
    """Made of its name, its account and the platform's domain."""
    run("account", "create", "acme")
    run("user", "create", "ci", "--account", "acme", "--service-account")
    ci = json.loads(run("user", "list", "--account", "acme", "--json").stdout)[-1]
    assert (ci["email"], ci["service_account"]) == ("ci@acme.sa.servery.local", True)


def test_keys_belong_to_users(run) -> None:
    """A key is made for a user that exists, and is refused once the user is gone."""
    run("account", "create", "acme")
    run("user", "create", "eve", "--account", "acme")
    key = json.loads(run("key", "create", "--account", "acme", "--user", "eve", "--json").stdout)
    run("user", "delete", "eve", "--account", "acme")
    (row,) = json.loads(run("key", "list", "--account", "acme", "--json").stdout)
    assert (row["key_id"], row["user"]) == (key["key_id"], "eve")
    assert row["revoked_ns"] is not None
    refused = run("key", "create", "--account", "acme", "--user", "eve")
    assert (refused.exit_code, refused.stderr) == (2, "servery: The account 'acme' has no user 'eve'.\n")
    assert run("user", "delete", "default", "--account", "acme").stderr == (
        "servery: 'default' is the last admin of 'acme'.\n"
    )
