"""Answers of requests with an `Idempotency-Key`, so that a repeated request does nothing twice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError
from dagwright_shared.store import json_rows, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    status_code: int
    response: Any
    """The body, as JSON."""


def find(conn: Connection, key: str, request_hash: str) -> Remembered | None:
    """The answer that this key had, or None for a new key; a concurrent request with the same key is waited for.

    Raises:
        ConflictError: the key was used for another request.
    """
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('dagwright idempotency ' || CAST(:key AS text), 0))"), {"key": key})
    table = tables.idempotency_keys
    row = conn.execute(select(table).where(table.c.key == key)).one_or_none()
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise ConflictError(f"The Idempotency-Key {key!r} was used for a different request; make a new key for each new request")
    return Remembered(status_code=row.status_code, response=row.response)


def remember(conn: Connection, key: str, request_hash: str, *, status_code: int, response: Any) -> None:
    """Keep an answer, in the transaction that it tells of."""
    arguments = {"key": key, "request_hash": request_hash, "status_code": status_code, "response": json_rows.dumps(response)}
    conn.execute(_REMEMBER, arguments)


def forget(conn: Connection, *, older_than_seconds: float) -> int:
    """Drop old answers; returns how many."""
    return conn.execute(_FORGET, {"seconds": older_than_seconds}).rowcount


_REMEMBER = text("""
INSERT INTO idempotency_keys (key, request_hash, status_code, response)
VALUES (:key, :request_hash, :status_code, CAST(:response AS jsonb)) ON CONFLICT (key) DO NOTHING
""")
_FORGET = text("DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - make_interval(secs => :seconds)")
