"""Roles and what they may do."""

from itertools import pairwise

import pytest

from servery.core.caller import Caller
from servery.core.errors import PermissionDenied
from servery.core.role import Role
from servery.tenancy.permissions import ROLE_PERMISSIONS, Permission, may, require


def test_each_role_may_what_the_one_below_may() -> None:
    """From asking models up to deciding for the account; none may operate the platform."""
    order = [Role.INFERENCE_USER, Role.CONTRIBUTOR, Role.USER, Role.ADMIN]
    assert set(order) == set(Role)
    for lower, higher in pairwise(order):
        assert ROLE_PERMISSIONS[lower] <= ROLE_PERMISSIONS[higher]
    assert all(Permission.OPERATE not in permissions for permissions in ROLE_PERMISSIONS.values())


@pytest.mark.parametrize("permission", Permission)
def test_a_platform_key_may_do_all(permission: Permission) -> None:
    """Whatever the role of its user."""
    require(Caller("ops", "key", admin=True, role=Role.INFERENCE_USER), permission)


def test_a_refusal_says_what_is_missing() -> None:
    """In words, with the role."""
    caller = Caller("acme", "key", role=Role.INFERENCE_USER)
    assert may(caller, Permission.INFER)
    with pytest.raises(PermissionDenied, match="role inference-user may not manage users"):
        require(caller, Permission.MANAGE_USERS)
