"""The command ``servery``."""

import click

from servery import __version__
from servery.cli.account import account_group
from servery.cli.audit import audit_command
from servery.cli.catalog import catalog_group
from servery.cli.credit import credit_group
from servery.cli.invoice import invoice_group
from servery.cli.key import key_group
from servery.cli.ledger import ledger_group
from servery.cli.limits import limits_group
from servery.cli.price import price_group
from servery.cli.refusals import RefusingGroup
from servery.cli.serve import serve_command
from servery.cli.simulate import simulate_command
from servery.cli.usage import usage_group
from servery.cli.user import user_group


@click.group(cls=RefusingGroup)
def servery() -> None:
    """Self-hosted serverless inference: many tenants, one fleet of open models, paid per token."""


@servery.command("version")
def version_command() -> None:
    """Print the version."""
    click.echo(f"servery {__version__}")


for command in (
    serve_command,
    simulate_command,
    key_group,
    account_group,
    user_group,
    credit_group,
    audit_command,
    usage_group,
    price_group,
    invoice_group,
    ledger_group,
    catalog_group,
    limits_group,
):
    servery.add_command(command)


def main() -> None:
    """The entry point of the installed command."""
    servery(prog_name="servery")
