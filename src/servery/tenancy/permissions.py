"""Who may do what: the one table of roles and permissions. ``docs/control-api.md`` shows it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from servery.core.caller import Caller
from servery.core.errors import PermissionDenied
from servery.core.role import Role


class Permission(StrEnum):
    """What a call of the API needs. The values read on after "may" in a refusal."""

    INFER = "ask models"
    READ_OWN_USAGE = "read what it has used itself"
    READ_ACCOUNT = "read the account"
    READ_USAGE = "read the account's usage and costs"
    OWN_KEYS = "make API keys of its own"
    MANAGE_USERS = "manage users and all their API keys"
    MANAGE_ACCOUNT = "change the account: its limits, credits and notifications"
    READ_AUDIT = "read the audit log"
    OPERATE = "operate the platform"


_ASKS: Final = frozenset({Permission.INFER, Permission.READ_OWN_USAGE, Permission.READ_ACCOUNT})
_WORKS: Final = _ASKS | {Permission.READ_USAGE, Permission.OWN_KEYS}
_DECIDES: Final = _WORKS | {Permission.MANAGE_USERS, Permission.MANAGE_ACCOUNT, Permission.READ_AUDIT}

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.INFERENCE_USER: _ASKS,
    Role.CONTRIBUTOR: _WORKS,
    Role.USER: _WORKS,
    Role.ADMIN: _DECIDES,
}
"""Within the caller's own account. A key that may operate the platform may do everything, in every account."""


def may(caller: Caller, permission: Permission) -> bool:
    """Whether the caller may do this in its own account; ``caller.admin`` in all of them."""
    return caller.admin or permission in ROLE_PERMISSIONS[caller.role]


def require(caller: Caller, permission: Permission) -> None:
    """Raises PermissionDenied when the caller may not."""
    if may(caller, permission):
        return
    if permission is Permission.OPERATE:
        raise PermissionDenied("Only a key that may operate the platform can do this (servery key create --admin).")
    raise PermissionDenied(f"A user with the role {caller.role} may not {permission}.")
