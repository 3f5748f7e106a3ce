"""What is changed at the command line stands in the audit log too."""

import os
import pwd
from collections.abc import Awaitable
from typing import Final, TypeVar

import click
import msgspec

from servery.tenancy.audit_log import Attempt, AuditLog

T = TypeVar("T")

COMMAND_LINE: Final = "command-line"
"""The principal of what is done on the machine itself is this, a slash, and the user of the operating system."""
_PLACES: Final = frozenset({"settings", "data_dir", "database"})


async def noted(audit: AuditLog, change: Awaitable[T], *, account: str, resource: str) -> T:
    """Await ``change``, by which the running command changes ``resource`` of ``account``; the entry is in the same
    transaction. Its payload are the command's words, none of which is secret."""
    context = click.get_current_context()
    given = {name: value for name, value in context.params.items() if name not in _PLACES and value is not None}
    words = {name: value if isinstance(value, int) else str(value) for name, value in given.items()}
    attempt = Attempt(
        account=account,
        principal=f"{COMMAND_LINE}/{_user()}",
        method=context.command_path,
        resource=resource,
        payload=msgspec.json.encode(words).decode(),
        is_admin_action=True,
    )
    return await audit.noted(attempt, change)


def _user() -> str:
    """By the process, which cannot lie about it as an environment can."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a user that has no name, as in a container
        return str(number)
