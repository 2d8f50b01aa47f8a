"""Users: who may log in, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from dagwright_shared.model.access import Grant, Role
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError, Problem, nearest
from dagwright_shared.store import listen, tables

TOPIC = "access"
"""Notified when what somebody may do changes; webservers forget then whom they have seen."""
_table = tables.users
_u = _table.c
_MAX_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    user_id: int
    name: str
    grant: Grant
    disabled: bool
    has_password: bool
    issuer: str | None
    """The OpenID provider by which the user logs in; None: here, by a password."""
    time_zone: str | None
    created_at: datetime
    signed_in_at: datetime | None


def create(
    conn: Connection,
    name: str,
    grant: Grant,
    *,
    password_hash: str | None = None,
    issuer: str | None = None,
    subject: str | None = None,
) -> User:
    """Add a user.

    Raises:
        InvalidRequestError: no user can have such a name.
        ConflictError: there is one of this name, in whatever case.
    """
    _check_name(name)
    values = {
        "name": name,
        "password_hash": password_hash,
        "role": _text(grant.role),
        "location_roles": roles_to_json(grant.locations),
        "issuer": issuer,
        "subject": subject,
    }
    try:
        with conn.begin_nested():
            row = conn.execute(insert(_table).values(values).returning(*_table.c)).one()
    except IntegrityError:
        raise ConflictError(f"There is a user {name!r} already") from None
    return _user(row)


def get(conn: Connection, name: str) -> User:
    """A user, by name in whatever case.

    Raises:
        NotFoundError: there is none.
    """
    row = _row(conn, name)
    if row is None:
        raise NotFoundError("user", name, known=conn.execute(select(_u.name).limit(1000)).scalars().all())
    return _user(row)


def by_id(conn: Connection, user_id: int) -> User | None:
    row = conn.execute(select(_table).where(_u.user_id == user_id)).one_or_none()
    return None if row is None else _user(row)


def by_subject(conn: Connection, issuer: str, subject: str) -> User | None:
    """The user whom an OpenID provider knows by this subject."""
    row = conn.execute(select(_table).where(_u.issuer == issuer, _u.subject == subject)).one_or_none()
    return None if row is None else _user(row)


def password_hash(conn: Connection, name: str) -> tuple[User | None, str | None]:
    """A user that may log in by a password, and its hash."""
    row = _row(conn, name)
    return (None, None) if row is None or row.disabled else (_user(row), row.password_hash)


def list_all(conn: Connection) -> list[User]:
    """All users, by name."""
    return [_user(row) for row in conn.execute(select(_table).order_by(func.lower(_u.name)))]


def change(conn: Connection, user_id: int, **values: Any) -> User:
    """Change a user: `role`, `location_roles`, `disabled`, `password_hash`, `time_zone`.

    Raises:
        ConflictError: nobody would be left who may manage users.
    """
    if "role" in values:
        values["role"] = _text(values["role"])
    if "location_roles" in values:
        values["location_roles"] = roles_to_json(values["location_roles"])
    guarded = ("role" in values or "disabled" in values) and _is_admin(conn, user_id)
    row = conn.execute(update(_table).where(_u.user_id == user_id).values(**values).returning(*_table.c)).one()
    if guarded:
        _check_admins(conn)
    listen.notify(conn, TOPIC)
    return _user(row)


def regrant(conn: Connection, user_id: int, grant: Grant) -> User:
    """Give a user the roles that an OpenID provider says; it may also take the last admin's."""
    values = {"role": _text(grant.role), "location_roles": roles_to_json(grant.locations)}
    row = conn.execute(update(_table).where(_u.user_id == user_id).values(**values).returning(*_table.c)).one()
    listen.notify(conn, TOPIC)
    return _user(row)


def signed_in(conn: Connection, user_id: int) -> None:
    """Note that a user has logged in."""
    conn.execute(update(_table).where(_u.user_id == user_id).values(signed_in_at=func.clock_timestamp()))


def remove(conn: Connection, user_id: int) -> None:
    """Delete a user with all sessions and API tokens; the audit log keeps the name.

    Raises:
        ConflictError: nobody would be left who may manage users.
    """
    guarded = _is_admin(conn, user_id)
    conn.execute(delete(_table).where(_u.user_id == user_id))
    if guarded:
        _check_admins(conn)
    listen.notify(conn, TOPIC)


def roles_to_json(roles: Mapping[str, Role | None]) -> dict[str, str | None]:
    return {name: _text(role) for name, role in roles.items()}


def grant_of(role: str | None, locations: Mapping[str, str | None]) -> Grant:
    """Roles as they are stored."""
    return Grant(role=_role(role), locations={name: _role(own) for name, own in locations.items()})


def parse_role(given: str, *, path: str = "role") -> Role | None:
    """A role as people write it; `none` for no role.

    Raises:
        InvalidRequestError: there is no such role.
    """
    if given == "none":
        return None
    if given in list(Role):
        return Role(given)
    known = [*map(str, Role), "none"]
    message = f"there is no role {given!r}; the roles are {', '.join(known)}"
    problem = Problem(path=path, message=message, value=given, expected=", ".join(known), suggestion=nearest(given, known))
    raise InvalidRequestError("The role is not known", problems=[problem])


def _is_admin(conn: Connection, user_id: int) -> bool:
    return bool(conn.execute(select(_u.role == Role.ADMIN.value, ~_u.disabled).where(_u.user_id == user_id)).one() == (True, True))


def _check_admins(conn: Connection) -> None:
    # Two admins who disable each other at the same moment: the second waits here, and sees the first.
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('dagwright admins', 0))"))
    left = conn.execute(select(func.count()).select_from(_table).where(_u.role == Role.ADMIN.value, ~_u.disabled)).scalar_one()
    if not left:
        raise ConflictError("This is the last admin; make another user admin first: dagwright user role NAME admin")


def _check_name(name: str) -> None:
    if not name or len(name) > _MAX_NAME or name != name.strip() or not name.isprintable() or "/" in name:
        expected = f"1 to {_MAX_NAME} printable characters without a slash, not beginning or ending with a space"
        problem = Problem(path="name", message="no user can have this name", value=name[:300], expected=expected)
        raise InvalidRequestError("The user cannot be added", problems=[problem])


def _row(conn: Connection, name: str) -> Row[Any] | None:
    if "\x00" in name:
        return None
    return conn.execute(select(_table).where(func.lower(_u.name) == func.lower(name))).one_or_none()


def _user(row: Row[Any]) -> User:
    return User(
        user_id=row.user_id,
        name=row.name,
        grant=grant_of(row.role, row.location_roles),
        disabled=row.disabled,
        has_password=row.password_hash is not None,
        issuer=row.issuer,
        time_zone=row.time_zone,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )


def _role(value: str | None) -> Role | None:
    return None if value is None else Role(value)


def _text(role: Role | None) -> str | None:
    return None if role is None else role.value
