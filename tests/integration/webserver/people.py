"""Users of each kind, with an API token each."""

from __future__ import annotations

from sqlalchemy import Engine

from dagwright_shared.model.access import Grant, Role
from dagwright_shared.store import api_tokens, users

GRANTS: dict[str, Grant] = {
    "nothing": Grant(),
    "viewer": Grant(role=Role.VIEWER),
    "launcher": Grant(role=Role.LAUNCHER),
    "editor": Grant(role=Role.EDITOR),
    "admin": Grant(role=Role.ADMIN),
    "viewer_here": Grant(locations={"flights": Role.VIEWER}),
    "launcher_here": Grant(role=Role.VIEWER, locations={"flights": Role.LAUNCHER}),
    "admin_here": Grant(locations={"flights": Role.ADMIN}),
}


def hire(store: Engine) -> dict[str, dict[str, str]]:
    """Make them; the headers that each sends, by name. `anonymous` sends none."""
    headers: dict[str, dict[str, str]] = {"anonymous": {}}
    with store.begin() as conn:
        for name, grant in GRANTS.items():
            user = users.create(conn, name, grant)
            _, secret = api_tokens.create(conn, user.user_id, "tests", Role.ADMIN)
            headers[name] = {"Authorization": f"Bearer {secret}"}
    return headers
