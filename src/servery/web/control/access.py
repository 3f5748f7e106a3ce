"""What a caller may see of the accounts."""

import msgspec
from starlette.requests import Request

from servery.core.caller import FIRST_USER, Caller
from servery.core.errors import PermissionDenied
from servery.tenancy.permissions import Permission, may


def account_of(request: Request, caller: Caller) -> str:
    """The account that the path names. Raises PermissionDenied when it is another's: whether that one exists is not
    told, except to a key that may operate the platform."""
    account = str(request.path_params["account"])
    if account != caller.account and not caller.admin:
        raise PermissionDenied(f"This API key may not see accounts/{account}.")
    return account


class KeyScope(msgspec.Struct, frozen=True):
    """Whose keys a call is about: those of ``user``, or of all users of the account (None). A key that is made without
    naming a user is one of ``maker``."""

    account: str
    user: str | None
    maker: str


def key_scope(request: Request, caller: Caller) -> KeyScope:
    """From the path: ``users/{user}``, or the account alone, which means the caller's own keys unless it manages all.

    Raises PermissionDenied for another user's keys.
    """
    account = account_of(request, caller)
    own = caller.user if account == caller.account else FIRST_USER
    named = request.path_params.get("user")
    if may(caller, Permission.MANAGE_USERS):
        return KeyScope(account, named, named or own)
    if named not in {None, own}:
        raise PermissionDenied(f"A user with the role {caller.role} may not see another user's API keys.")
    return KeyScope(account, own, own)
