"""What a caller may see of the accounts."""

from starlette.requests import Request

from servery.core.caller import Caller
from servery.core.errors import NotFound, PermissionDenied

USER = "default"
"""The one user that every account has, implied."""


def account_of(request: Request, caller: Caller) -> str:
    """The account that the path names. Raises PermissionDenied when it is another's: whether that one exists is not
    told, except to a key that may operate the platform."""
    account = str(request.path_params["account"])
    if account != caller.account and not caller.admin:
        raise PermissionDenied(f"This API key may not see accounts/{account}.")
    user = request.path_params.get("user", USER)
    if user != USER:
        raise NotFound(f"There is no user {user!r}; every account has one, {USER!r}.")
    return account


def require_admin(caller: Caller) -> None:
    """Raises PermissionDenied for a key that may not operate the platform."""
    if not caller.admin:
        raise PermissionDenied("Only a key that may operate the platform can do this (servery key create --admin).")
