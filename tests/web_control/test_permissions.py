"""Every route with every role: what is let in is what the table says, in the code and in the document."""

import re
from pathlib import Path

import pytest
from starlette.routing import Route
from tests.web_control.conftest import Plane

from servery.core.role import Role
from servery.tenancy.api_keys import CreatedKey
from servery.tenancy.permissions import ROLE_PERMISSIONS, Permission
from servery.web.control.resource import Resource

API = Path(__file__).parents[2] / "docs" / "control-api.md"


def calls(plane: Plane, account: str) -> list[tuple[str, str, Permission]]:
    """Each action of each route: method, path with ``account`` filled in, permission."""
    found = []
    for route in plane.routes:
        assert isinstance(route, Route)
        assert isinstance(route.app, Resource), "no way around the permissions"
        path = route.path.replace("{account}", account).replace("{user}", "default")
        path = re.sub(r"\{\w+(:path)?\}", "none", path)
        found += [(method, path, action.permission) for method, action in route.app.actions.items()]
    return found


async def is_let_in(plane: Plane, method: str, path: str, key: CreatedKey) -> bool:
    """Whatever comes of it: bodies are nonsense, so that nothing is changed."""
    response = await plane.client.request(method, path, headers={"x-api-key": key.key}, content=b"nonsense")
    assert response.status_code not in {401, 405, 500}, response.text
    if response.status_code != 403:
        return True
    return "another user's" in response.text  # let in, and stopped at another user's keys


@pytest.mark.parametrize("role", Role)
async def test_each_role_is_let_in_where_the_table_says(plane: Plane, role: Role) -> None:
    """In its own account by its permissions; in another nowhere, except where models are shown."""
    key = await plane.key_of("eve", role)
    for method, path, permission in calls(plane, "acme"):
        assert await is_let_in(plane, method, path, key) == (permission in ROLE_PERMISSIONS[role]), (method, path)
    for method, path, permission in calls(plane, "beta"):
        if "/beta" in path and permission is not Permission.INFER:
            assert not await is_let_in(plane, method, path, key), (method, path)


async def test_a_platform_key_is_let_in_everywhere(plane: Plane) -> None:
    """In every account."""
    for method, path, _ in calls(plane, "beta"):
        assert await is_let_in(plane, method, path, plane.ops), (method, path)


def test_the_table_of_roles_is_documented() -> None:
    """docs/control-api.md says the same, cell by cell."""
    rows = re.findall(r"^\| ([^|]+) \|((?: (?:yes|no) \|){4})$", API.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = {words: [cell.strip() == "yes" for cell in cells.strip(" |").split("|")] for words, cells in rows}
    order = [Role.INFERENCE_USER, Role.CONTRIBUTOR, Role.USER, Role.ADMIN]
    assert told == {
        permission.value: [permission in ROLE_PERMISSIONS[role] for role in order] for permission in Permission
    }


async def test_each_route_is_documented(plane: Plane) -> None:
    """docs/control-api.md has a row for each path of the control plane, with its methods and permissions."""
    text = API.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+) (/v1/\S+)` \| ([^|]+) \|", text, flags=re.MULTILINE)
    told = {(method, path): needs.strip() for method, path, needs in rows}
    known = {
        (method, route.path): action.permission.value
        for route in plane.routes
        if "/models" not in route.path
        for method, action in route.app.actions.items()
    }
    assert told == known
