"""Who is calling: the fact that authentication adds to a request."""

import msgspec

from servery.core.errors import PreconditionFailed
from servery.core.role import Role
from servery.core.suspend_state import SuspendState, suspension_message

FIRST_USER = "default"
"""The user that every account is opened with, an admin."""


class Caller(msgspec.Struct, frozen=True):
    """A user of an account, through an API key. ``spend_tier`` is 1 to 4; ``admin`` may operate the platform, whatever
    its role. ``funded`` is false for a prepaid account without credit. ``suspend_state`` is what the operator has set:
    what was spent is not known here."""

    account: str
    key_id: str
    spend_tier: int = 1
    admin: bool = False
    user: str = FIRST_USER
    role: Role = Role.ADMIN
    funded: bool = True
    suspend_state: SuspendState = SuspendState.UNSUSPENDED

    def require_unsuspended(self) -> None:
        """Raises PreconditionFailed, with the reason, for an account that the operator has suspended."""
        if self.suspend_state is not SuspendState.UNSUSPENDED:
            raise PreconditionFailed(suspension_message(self.account, self.suspend_state))
