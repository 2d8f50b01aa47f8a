"""The audit log: who changed what, when, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text

from dagwright_shared.model.access import AuditResult
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.store import cursors, json_rows, tables
from dagwright_shared.store.cursors import Page

_table = tables.audit_log
_a = _table.c
_MAX_JSON = 4_000
_MAX_TEXT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something that was done, or refused."""

    actor: str | None
    """Name of the user; None: nobody had logged in."""
    action: str
    """The operation, such as `launch` or `set_pool`."""
    result: AuditResult
    target: str | None = None
    location: str | None = None
    token: str | None = None
    """The beginning of the API token that was sent."""
    address: str | None = None
    request_id: str | None = None
    before: Any = None
    """What was changed, as small JSON."""
    after: Any = None
    audit_id: int = 0
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries to list; what is None does not matter."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    result: AuditResult | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(conn: Connection, entry: AuditEntry) -> None:
    """Write an entry, in the transaction of what it tells of."""
    conn.execute(
        _RECORD,
        {
            "actor": _short(entry.actor),
            "token": entry.token,
            "address": entry.address,
            "request_id": entry.request_id,
            "action": entry.action,
            "target": _short(entry.target),
            "location": _short(entry.location),
            "result": entry.result.value,
            "before": _small(entry.before),
            "after": _small(entry.after),
        },
    )


def list_page(conn: Connection, wanted: AuditFilter, *, limit: int = 50, cursor: str | None = None) -> Page[AuditEntry]:
    """Entries, the newest first."""
    query = select(_table).order_by(_a.audit_id.desc()).limit(limit + 1)
    for column, value in ((_a.actor, wanted.actor), (_a.action, wanted.action), (_a.target, wanted.target)):
        if value is not None:
            query = query.where(column == json_rows.clean(value))
    if wanted.result is not None:
        query = query.where(_a.result == wanted.result.value)
    if wanted.since is not None:
        query = query.where(_a.time >= wanted.since)
    if wanted.until is not None:
        query = query.where(_a.time < wanted.until)
    if cursor is not None:
        (before,) = cursors.decode(cursor, [int])
        query = query.where(_a.audit_id < before)
    found = [
        AuditEntry(
            audit_id=row.audit_id, time=row.time, actor=row.actor, token=row.token, address=row.address, request_id=row.request_id,
            action=row.action, target=row.target, location=row.location, result=AuditResult(row.result), before=row.before, after=row.after,
        )
        for row in conn.execute(query)
    ]  # fmt: skip
    return cursors.page(found, limit, lambda entry: (entry.audit_id,))


def forget(conn: Connection, older_than: timedelta, *, limit: int) -> int:
    """Delete entries that are older, at most so many; how many."""
    return conn.execute(_FORGET, {"seconds": older_than.total_seconds(), "limit": limit}).rowcount


def _short(value: str | None) -> str | None:
    return None if value is None else json_rows.clean(value)[:_MAX_TEXT]


def _small(value: Any) -> str | None:
    if value is None:
        return None
    written = json_rows.dumps(value)
    return written if len(written) <= _MAX_JSON else json_rows.dumps({"cut": written[: _MAX_JSON - 100]})


_RECORD = text("""
INSERT INTO audit_log (actor, token, address, request_id, action, target, location, result, before, after)
VALUES (:actor, :token, :address, :request_id, :action, :target, :location, :result, CAST(:before AS jsonb), CAST(:after AS jsonb))
""")
_FORGET = text("""
DELETE FROM audit_log WHERE audit_id IN (
    SELECT audit_id FROM audit_log WHERE time < clock_timestamp() - make_interval(secs => :seconds) ORDER BY time LIMIT :limit)
""")
