"""Sessions: browsers whose user has logged in. Only the hash of what the cookie holds is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, text

from dagwright_shared.model.access import Identity
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.store import json_rows, listen, secret_values, tables, users

_table = tables.sessions
_s = _table.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    session_hash: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


def start(conn: Connection, user_id: int, *, hours: float, address: str | None, user_agent: str | None) -> str:
    """Begin a session; what the cookie is to hold."""
    secret = secret_values.new_session()
    conn.execute(
        _START,
        {
            "hash": secret_values.hash_of(secret),
            "user_id": user_id,
            "seconds": hours * 3600,
            "address": address,
            "user_agent": json_rows.clean(user_agent)[:300] if user_agent else None,
        },
    )
    users.signed_in(conn, user_id)
    return secret


def find(conn: Connection, secret: str, *, idle_hours: float) -> Identity | None:
    """Whose session it is; None when there is none, it has expired or was idle for too long, or the user is disabled.

    Its being used is noted, at most once a minute.
    """
    session_hash = secret_values.hash_of(secret)
    row = conn.execute(_FIND, {"hash": session_hash, "idle": idle_hours * 3600}).one_or_none()
    if row is None:
        return None
    if row.stale:
        conn.execute(_TOUCH, {"hash": session_hash})
    return Identity(
        grant=users.grant_of(row.role, row.location_roles),
        name=row.name,
        user_id=row.user_id,
        session_hash=session_hash,
        csrf=secret_values.csrf_of(secret),
        time_zone=row.time_zone,
    )


def list_of(conn: Connection, user_id: int) -> Sequence[Session]:
    """The sessions of a user, the one used last first."""
    rows = conn.execute(select(_table).where(_s.user_id == user_id, _s.expires_at > func.clock_timestamp()).order_by(_s.seen_at.desc()))
    return [
        Session(
            session_hash=row.session_hash,
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            address=row.address,
            user_agent=row.user_agent,
        )
        for row in rows
    ]


def end(conn: Connection, session_hash: str) -> None:
    """End a session."""
    conn.execute(delete(_table).where(_s.session_hash == session_hash))
    listen.notify(conn, users.TOPIC)


def end_all(conn: Connection, user_id: int, *, but: str | None = None) -> int:
    """End the sessions of a user; how many there were.

    Args:
        but: hash of the one that stays.
    """
    statement = delete(_table).where(_s.user_id == user_id)
    if but is not None:
        statement = statement.where(_s.session_hash != but)
    listen.notify(conn, users.TOPIC)
    return conn.execute(statement).rowcount


def forget(conn: Connection, *, idle_seconds: float) -> int:
    """Delete sessions that have expired or were idle for so long; how many."""
    return conn.execute(_FORGET, {"idle": idle_seconds}).rowcount


_START = text("""
INSERT INTO sessions (session_hash, user_id, expires_at, address, user_agent)
VALUES (:hash, :user_id, clock_timestamp() + make_interval(secs => :seconds), :address, :user_agent)
""")
_FIND = text("""
SELECT u.user_id, u.name, u.role, u.location_roles, u.time_zone, s.seen_at < clock_timestamp() - interval '1 min' AS stale
FROM sessions s JOIN users u USING (user_id)
WHERE s.session_hash = :hash AND NOT u.disabled AND s.expires_at > clock_timestamp()
    AND s.seen_at > clock_timestamp() - make_interval(secs => :idle)
""")
_TOUCH = text("UPDATE sessions SET seen_at = clock_timestamp() WHERE session_hash = :hash")
_FORGET = text("""
DELETE FROM sessions WHERE expires_at < clock_timestamp() OR seen_at < clock_timestamp() - make_interval(secs => :idle)
""")
