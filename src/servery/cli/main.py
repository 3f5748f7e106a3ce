"""The command ``servery``."""

from typing import Final

import click

from servery import __version__
from servery.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS: Final = {
    "account": LazyCommand(
        "servery.cli.account", "account_group", "Open, list, suspend and resume accounts, and say what they may spend."
    ),
    "audit": LazyCommand(
        "servery.cli.audit",
        "audit_command",
        "Show the latest changes to the account ACCOUNT_ID, or those to the platform as a whole, newest first.",
    ),
    "catalog": LazyCommand("servery.cli.catalog", "catalog_group", "Check a catalog file, or print one to start from."),
    "credit": LazyCommand("servery.cli.credit", "credit_group", "Give credits, make and list codes."),
    "invoice": LazyCommand("servery.cli.invoice", "invoice_group", "Show invoices, and close months."),
    "key": LazyCommand("servery.cli.key", "key_group", "Create, list and revoke API keys."),
    "ledger": LazyCommand("servery.cli.ledger", "ledger_group", "Look at the books, verify and correct them."),
    "limits": LazyCommand("servery.cli.limits", "limits_group", "Fix, show and clear limits of accounts."),
    "price": LazyCommand("servery.cli.price", "price_group", "Look at prices, and change them."),
    "serve": LazyCommand("servery.cli.serve", "serve_command", "Start the platform and serve until Ctrl-C or SIGTERM."),
    "simulate": LazyCommand(
        "servery.cli.simulate",
        "simulate_command",
        "Replay TRACE against a fleet, under one policy or several, in virtual time.",
    ),
    "usage": LazyCommand(
        "servery.cli.usage", "usage_group", "Show what was used and charged, by account, model and serving path."
    ),
    "user": LazyCommand("servery.cli.user", "user_group", "Create, list, change and delete the users of an account."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def servery() -> None:
    """Self-hosted serverless inference: many tenants, one fleet of open models, paid per token."""


@servery.command("version")
def version_command() -> None:
    """Print the version."""
    click.echo(f"servery {__version__}")


def main() -> None:
    """The entry point of the installed command."""
    servery(prog_name="servery")
