"""Who is calling: the fact that authentication adds to a request."""

from typing import Final

from servery.core.errors import PreconditionFailed
from servery.core.role import Role
from servery.core.suspend_state import SuspendState, suspension_message
from servery.core.value import Value

_UNSUSPENDED: Final = SuspendState.UNSUSPENDED  # looked up for each request; from its class a member comes slower

FIRST_USER: Final = "default"
"""The user that every account is opened with, an admin."""


class Caller(Value):
    """A user of an account, through an API key. ``spend_tier`` is 1 to 4; ``admin`` may operate the platform, whatever
    its role. ``funded`` is false for a prepaid account without credit. ``suspend_state`` is what the operator has set:
    what was spent is not known here."""

    FIELDS = ("account", "key_id", "spend_tier", "admin", "user", "role", "funded", "suspend_state")
    __slots__ = FIELDS

    def __init__(
        self,
        account: str,
        key_id: str,
        *,
        spend_tier: int = 1,
        admin: bool = False,
        user: str = FIRST_USER,
        role: Role = Role.ADMIN,
        funded: bool = True,
        suspend_state: SuspendState = SuspendState.UNSUSPENDED,
    ) -> None:
        self.account = account
        self.key_id = key_id
        self.spend_tier = spend_tier
        self.admin = admin
        self.user = user
        self.role = role
        self.funded = funded
        self.suspend_state = suspend_state

    def require_unsuspended(self) -> None:
        """Raises PreconditionFailed, with the reason, for an account that the operator has suspended."""
        if self.suspend_state is not _UNSUSPENDED:
            raise PreconditionFailed(suspension_message(self.account, self.suspend_state))
