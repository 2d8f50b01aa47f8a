"""Backfills: requests for many partitions at once, each one row however many partitions it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, tuple_

from dagwright_shared.model.errors import ErrorInfo, error_from_json
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, asset_keys
from dagwright_shared.store import cursors, json_rows, listen, runs, tables
from dagwright_shared.store.cursors import Page

_table = tables.backfills


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBackfill:
    backfill_id: str
    """A UUID."""
    location: LocationName
    digest: Digest
    target: bytes
    """Partition subsets, as their owner encodes them."""
    job_name: str | None = None
    asset_keys: tuple[AssetKey, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    backfill_id: str
    location: LocationName
    digest: Digest
    job_name: str | None
    asset_keys: tuple[AssetKey, ...]
    status: str
    target: bytes
    tags: Mapping[str, str]
    error: ErrorInfo | None
    created_at: datetime
    ended_at: datetime | None


def create(conn: Connection, backfill: NewBackfill) -> bool:
    """Ask for a backfill. False: this id was asked for before."""
    arguments = {
        "backfill_id": backfill.backfill_id,
        "location": backfill.location,
        "digest": backfill.digest,
        "job_name": backfill.job_name,
        "asset_keys": [key.to_user_string() for key in backfill.asset_keys],
        "target": backfill.target,
        "tags": json_rows.dumps(dict(backfill.tags)),
    }
    made = conn.execute(_CREATE, arguments).rowcount
    if made:
        listen.notify(conn, "backfills")
    return bool(made)


def get(conn: Connection, backfill_id: str) -> BackfillRow | None:
    """The backfill, or None; text that is no UUID is none."""
    if not runs.is_run_id(backfill_id):
        return None
    row = conn.execute(select(_table).where(_table.c.backfill_id == backfill_id)).one_or_none()
    return None if row is None else _row(row)


def list_page(conn: Connection, *, limit: int = 50, cursor: str | None = None) -> Page[BackfillRow]:
    """Backfills, newest first.

    Raises:
        InvalidRequestError: a cursor of another list.
    """
    query = select(_table).order_by(_table.c.created_at.desc(), _table.c.backfill_id.desc()).limit(limit + 1)
    if cursor:
        created_at, backfill_id = cursors.decode(cursor, (datetime, str))
        key: Any = tuple_(_table.c.created_at, _table.c.backfill_id)
        query = query.where(key < tuple_(created_at, backfill_id))
    found = [_row(row) for row in conn.execute(query)]
    return cursors.page(found, limit, lambda row: (row.created_at, row.backfill_id))


def _row(row: Any) -> BackfillRow:
    return BackfillRow(
        backfill_id=str(row.backfill_id),
        location=LocationName(row.location),
        digest=Digest(row.digest),
        job_name=row.job_name,
        asset_keys=asset_keys(row.asset_keys),
        status=row.status,
        target=bytes(row.target),
        tags=row.tags,
        error=error_from_json(row.error) if row.error else None,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


_CREATE = text("""
INSERT INTO backfills (backfill_id, location, digest, job_name, asset_keys, target, tags)
VALUES (:backfill_id, :location, :digest, :job_name, CAST(:asset_keys AS text[]), :target, CAST(:tags AS jsonb))
ON CONFLICT (backfill_id) DO NOTHING
""")
