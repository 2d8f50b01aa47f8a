"""Users, as admins manage them, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from dagwright_shared.model.access import AuditResult, Grant, Role
from dagwright_shared.runtime import passwords
from dagwright_shared.store import edits, sessions
from dagwright_shared.store import users as store
from dagwright_shared.store.audit import AuditFilter
from dagwright_webserver.deps import Admin, answer, location_of
from dagwright_webserver.edits import TAGGED, IfMatch, require_same, tagged
from dagwright_webserver.reads import access as reads
from dagwright_webserver.reads.access import AuditListView, UserListView, UserView
from dagwright_webserver.schemas import API, Body, Cursor, Limit, Name, aware, problems, returns

router = APIRouter(prefix=API, tags=["access"])

UserName = Annotated[str, Path(description="Name of the user, in whatever case.", max_length=300)]


class UserBody(Body):
    """A user to add."""

    name: str = Field(min_length=1, max_length=255)
    """By which they log in."""
    role: Role | None = None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: dict[str, Role | None] = Field(default_factory=dict, max_length=1000)
    """Another role in its place, by location; null hides a location."""
    password: str | None = Field(default=None, max_length=2000)
    """Left out, they cannot log in by a password: for a program with API tokens, say."""


class UserChange(Body):
    """What to change; what is left out stays."""

    role: Role | None = None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: dict[str, Role | None] | None = Field(default=None, max_length=1000)
    """Another role in its place, by location; replaces what there was."""
    disabled: bool | None = None
    """Whether they cannot log in, nor use API tokens."""
    password: str | None = Field(default=None, max_length=2000)
    """A new password; all their sessions end."""


@router.get("/users", summary="List users", responses=returns(UserListView, 401, 403, 503))
def list_users(web: Admin) -> Response:
    """All users, by name."""
    return answer(web.read(reads.list_users))


@router.post("/users", status_code=201, summary="Add a user", responses=returns(UserView, 401, 403, 409, 422, 503, status=201))
def add_user(body: UserBody, web: Admin) -> Response:
    """Who comes by an OpenID provider need not be added: their first log-in does that."""
    if body.password is not None:
        passwords.check_strength(body.password, name=body.name)
    hashed = None if body.password is None else passwords.hashed(body.password)
    grant = Grant(role=body.role, locations=body.location_roles)
    web.access.tell(target=body.name, after=reads.roles_json(grant))
    return answer(
        reads.user_view(web.write(lambda conn: store.create(conn, body.name, grant, password_hash=hashed))),
        201,
        location_of(f"users/{body.name}"),
    )


@router.get("/users/{name}", summary="Get a user", responses=returns(UserView, 401, 403, 404, 503, headers=TAGGED))
def get_user(name: UserName, web: Admin) -> Response:
    """One user."""
    return tagged(reads.user_view(web.read(lambda conn: store.get(conn, name))))


@router.patch("/users/{name}", summary="Change a user", responses=returns(UserView, 401, 403, 404, 409, 412, 422, 503, headers=TAGGED))
def change_user(name: UserName, body: UserChange, web: Admin, if_match: IfMatch = None) -> Response:
    """Give other roles, disable, enable, or set a password. It holds at once, in all sessions and for all tokens of the user."""
    given = body.model_dump(exclude_unset=True)
    values: dict[str, Any] = {key: given[key] for key in ("role", "location_roles", "disabled") if key in given}
    values = {key: value for key, value in values.items() if value is not None or key == "role"}
    if body.password is not None:
        passwords.check_strength(body.password, name=name)
        values["password_hash"] = passwords.hashed(body.password)

    def change(conn: Connection) -> store.User:
        edits.hold(conn, f"user {name}")
        user = store.get(conn, name)
        require_same(if_match, reads.user_view(user).etag, f"User {name!r}")
        changed = store.change(conn, user.user_id, **values) if values else user
        if "password_hash" in values or changed.disabled:
            sessions.end_all(conn, user.user_id)
        told = {"password": "changed"} if "password_hash" in values else {}
        web.access.tell(target=user.name, before=_state(user), after={**_state(changed), **told})
        return changed

    changed = web.write(change)
    web.identities.clear()
    return tagged(reads.user_view(changed))


@router.delete("/users/{name}", status_code=204, summary="Delete a user", responses=problems(401, 403, 404, 409, 412, 503))
def delete_user(name: UserName, web: Admin, if_match: IfMatch = None) -> Response:
    """With all sessions and API tokens. The audit log keeps the name."""

    def change(conn: Connection) -> None:
        edits.hold(conn, f"user {name}")
        user = store.get(conn, name)
        require_same(if_match, reads.user_view(user).etag, f"User {name!r}")
        web.access.tell(target=user.name, before=_state(user))
        store.remove(conn, user.user_id)

    web.write(change)
    web.identities.clear()
    return Response(status_code=204)


@router.get("/audit", summary="List the audit log", responses=returns(AuditListView, 401, 403, 422, 503))
def list_audit(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    web: Admin,
    actor: Name = None,
    action: Annotated[str | None, Query(max_length=200, description="An operation, such as `launch`.")] = None,
    target: Name = None,
    result: Annotated[AuditResult | None, Query(description="done, refused or failed.")] = None,
    since: Annotated[datetime | None, Query(description="ISO 8601; UTC unless it says otherwise.")] = None,
    until: Annotated[datetime | None, Query(description="ISO 8601; UTC unless it says otherwise.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Who changed what, and who was refused; the newest first."""
    wanted = AuditFilter(actor=actor, action=action, target=target, result=result, since=aware(since), until=aware(until))
    return answer(web.read(lambda conn: reads.list_audit(conn, wanted, limit=limit, cursor=cursor)))


def _state(user: store.User) -> dict[str, Any]:
    return {**reads.roles_json(user.grant), "disabled": user.disabled}
