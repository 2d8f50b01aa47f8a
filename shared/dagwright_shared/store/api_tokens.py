"""API tokens: what programs send in place of a log-in. Only their hash is kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text

from dagwright_shared.model.access import Identity, Role
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.store import cursors, json_rows, listen, secret_values, tables, users
from dagwright_shared.store.cursors import Page

_table = tables.api_tokens
_t = _table.c


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    token_id: int
    user: str
    name: str
    prefix: str
    role: Role
    """The most that it may do; never more than its user."""
    locations: tuple[str, ...] | None
    """The only ones where it may do anything; None: all that its user may see."""
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


def create(
    conn: Connection, user_id: int, name: str, role: Role, *, locations: Collection[str] | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token; what is stored of it, and the token itself, which nobody will see again."""
    secret = secret_values.new_token()
    values = {
        "user_id": user_id,
        "name": json_rows.clean(name),
        "token_hash": secret_values.hash_of(secret),
        "prefix": secret[: secret_values.SHOWN],
        "role": role.value,
        "locations": None if locations is None else sorted(locations),
        "expires_at": expires_at,
    }
    token_id = conn.execute(insert(_table).values(values).returning(_t.token_id)).scalar_one()
    return get(conn, token_id), secret


def find(conn: Connection, secret: str) -> Identity | None:
    """Whose token it is; None when there is none, it has expired, or its user is disabled.

    Its being used is noted, at most once a minute.
    """
    row = conn.execute(_FIND, {"hash": secret_values.hash_of(secret)}).one_or_none()
    if row is None:
        return None
    if row.stale:
        conn.execute(_TOUCH, {"token_id": row.token_id})
    grant = users.grant_of(row.role, row.location_roles).narrowed(
        Role(row.token_role), None if row.locations is None else frozenset(row.locations)
    )
    return Identity(grant=grant, name=row.name, user_id=row.user_id, token=row.prefix, time_zone=row.time_zone)


def get(conn: Connection, token_id: int) -> ApiToken:
    """A token.

    Raises:
        NotFoundError: there is none of this number.
    """
    row = conn.execute(_listed().where(_t.token_id == token_id)).one_or_none()
    if row is None:
        raise NotFoundError("API token", str(token_id))
    return _token(row)


def list_page(conn: Connection, *, user_id: int | None = None, limit: int = 100, cursor: str | None = None) -> Page[ApiToken]:
    """Tokens, of one user or of all, the newest first."""
    query = _listed()
    if user_id is not None:
        query = query.where(_t.user_id == user_id)
    if cursor is not None:
        (before,) = cursors.decode(cursor, [int])
        query = query.where(_t.token_id < before)
    found = [_token(row) for row in conn.execute(query.order_by(_t.token_id.desc()).limit(limit + 1))]
    return cursors.page(found, limit, lambda token: (token.token_id,))


def remove(conn: Connection, token_id: int) -> None:
    """Revoke a token."""
    conn.execute(delete(_table).where(_t.token_id == token_id))
    listen.notify(conn, users.TOPIC)


def _listed() -> Any:
    return select(_table, tables.users.c.name.label("user")).join(tables.users, tables.users.c.user_id == _t.user_id)


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        token_id=row.token_id,
        user=row.user,
        name=row.name,
        prefix=row.prefix,
        role=Role(row.role),
        locations=None if row.locations is None else tuple(row.locations),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


_FIND = text("""
SELECT t.token_id, t.prefix, t.role AS token_role, t.locations, u.user_id, u.name, u.role, u.location_roles, u.time_zone,
    t.used_at IS NULL OR t.used_at < clock_timestamp() - interval '1 min' AS stale
FROM api_tokens t JOIN users u USING (user_id)
WHERE t.token_hash = :hash AND NOT u.disabled AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
""")
_TOUCH = text("UPDATE api_tokens SET used_at = clock_timestamp() WHERE token_id = :token_id")
