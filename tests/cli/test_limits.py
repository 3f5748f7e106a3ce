"""``servery limits``."""

import json

MODEL = "accounts/servery/models/demo"


def test_limits_are_fixed_shown_and_cleared(run) -> None:
    """Fixing again replaces; what is not named adapts, and shows as a hyphen."""
    run("account", "create", "acme")
    assert run("limits", "set", MODEL, "--account", "acme", "--prompt", "5").stdout == (
        f"fixed limits of acme for {MODEL}\n"
    )
    run("limits", "set", MODEL, "--account", "acme", "--generated", "7000")
    lines = run("limits", "show").stdout.splitlines()
    assert lines[1].split() == ["acme", MODEL, "-", "-", "7000"]
    assert json.loads(run("limits", "show", "--account", "acme", "--json").stdout) == [
        {
            "account": "acme",
            "model": MODEL,
            "prompt_tokens_per_minute": None,
            "uncached_prompt_tokens_per_minute": None,
            "generated_tokens_per_minute": 7000,
        }
    ]
    assert json.loads(run("limits", "show", "--account", "beta", "--json").stdout) == []
    assert run("limits", "clear", MODEL, "--account", "acme").stdout == f"cleared limits of acme for {MODEL}\n"
    assert json.loads(run("limits", "show", "--json").stdout) == []


def test_what_cannot_be_fixed_is_refused(run) -> None:
    """No such account, no full name, nothing named, nothing to clear."""
    run("account", "create", "acme")
    for arguments in (
        ("set", MODEL, "--account", "nobody", "--prompt", "5"),
        ("set", "demo", "--account", "acme", "--prompt", "5"),
        ("set", MODEL, "--account", "acme"),
        ("set", MODEL, "--account", "acme", "--prompt", "0"),
        ("clear", MODEL, "--account", "acme"),
    ):
        assert run("limits", *arguments).exit_code == 2, arguments
