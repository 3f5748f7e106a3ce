"""What is changed at the command line stands in the audit log too."""

import click

from servery.tenancy.audit_log import AuditLog


async def note(audit: AuditLog, account: str, *, resource: str) -> None:
    """Note that the running command has changed ``resource``, of ``account``."""
    command = click.get_current_context().command_path
    await audit.add(account, caller=None, method=command, resource=resource)
