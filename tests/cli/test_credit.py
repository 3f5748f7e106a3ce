"""``servery credit`` and the operator's other means over money."""

import json
from pathlib import Path


def test_credits_are_given_and_listed(run) -> None:
    """A grant prints its transfer, which can be reversed."""
    run("account", "create", "acme")
    transfer = run("credit", "grant", "acme", "2.5", "--description", "welcome").stdout.strip()
    lines = run("credit", "list", "acme").stdout.splitlines()
    assert lines[1].split()[:2] == [transfer, "2.500000000"]
    assert lines[-1].split() == ["left", "2.500000000"]
    assert run("ledger", "reverse", transfer).stdout == f"reversal/{transfer}: 2.500000000 dollars\n"
    assert run("credit", "list", "acme").stdout.splitlines()[-1].split() == ["left", "0.000000000"]
    assert json.loads(run("ledger", "verify", "--json").stdout)["holds"]


def test_codes_are_made_listed_and_disabled(run) -> None:
    """The code alone goes to standard output; it is not shown again."""
    run("account", "create", "acme")
    made = run("credit", "create-code", "5", "--redemptions", "3", "--expires-in", "30d")
    code, code_id = made.stdout.strip(), made.stderr.split(";")[0]
    listed = run("credit", "list-codes").stdout
    assert code not in listed
    assert code_id in listed
    assert run("credit", "disable-code", code_id).stdout == f"disabled {code_id}\n"
    assert "disabled" in run("credit", "list-codes").stdout
    assert run("credit", "disable-code", "code-none").exit_code == 2


def test_an_accounts_money_is_shown_and_limited(run, books: Path) -> None:
    """Its spending, its limit, its tier and whether it may owe."""
    assert run("account", "limit", "acme", "20").exit_code == 0
    assert run("account", "limit", "acme", "51").stderr == "servery: value is at most 50 dollars\n"
    shown = dict(line.rsplit(None, 1) for line in run("account", "show", "acme").stdout.splitlines())
    assert shown["may spend this month"] == "20.000000000"
    assert shown["spent this month"] == "0.000036000"
    assert run("account", "pin-tier", "acme", "3").stdout == "acme has spend tier 3, pinned\n"
    assert run("account", "pin-tier", "acme").stdout == "acme has spend tier 3\n"
    assert run("account", "set-billing", "acme", "prepaid").stdout == "acme is prepaid\n"
    assert "may spend this month   0.000000000" in run("account", "show", "acme").stdout


def test_a_charge_is_reversed(run, books: Path) -> None:
    """And does not count any more."""
    (request, *_) = [
        line.split()[0] for line in run("ledger", "balances").stdout.splitlines() if line.startswith("accounts/acme")
    ]
    assert request == "accounts/acme"
    assert run("ledger", "reverse", "chatcmpl-none").stderr == "servery: There is no transfer 'chatcmpl-none'.\n"


def test_an_amount_that_is_none_is_refused(run) -> None:
    """In a line, with exit status 2."""
    run("account", "create", "acme")
    for amount in ("x", "-1", "0.0000000001", "1e30"):
        assert run("credit", "grant", "--", "acme", amount, on_data=False).exit_code == 2
