"""Backfills: requests for many partitions at once, each one row however many partitions it names.

Invariant: whoever changes a backfill holds the lock of its row; the runs of a step, the progress that counts them and the status
are written in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, tuple_

from dagwright_shared.model.backfills import LIVE, Backfill, BackfillStatus, Home, NewBackfill, Progress, Target, locations_of, sources
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError, ErrorInfo, NotFoundError, error_from_json, error_to_json
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, asset_keys
from dagwright_shared.model.runs import Trigger, TriggerKind
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import backfill_runs, cursors, json_rows, listen, runs, tables
from dagwright_shared.store.cursors import Page

CANCELED = "its backfill was canceled"

_table = tables.backfills


def create(conn: Connection, backfill: NewBackfill) -> bool:
    """Ask for a backfill. False: this id was asked for before."""
    arguments = {
        "backfill_id": backfill.backfill_id,
        "location": backfill.location,
        "locations": list(locations_of(backfill)),
        "digest": backfill.digest,
        "job_name": backfill.job_name,
        "asset_keys": [key.to_user_string() for key in backfill.asset_keys],
        "target": backfill.target.to_bytes(),
        "tags": json_rows.dumps(dict(backfill.tags)),
        "config": json_rows.dumps(dict(backfill.config)),
        "title": backfill.title,
        "description": backfill.description,
        "trigger_kind": backfill.trigger.kind,
        "trigger_name": backfill.trigger.name,
        "parent_id": backfill.parent_id,
    }
    made = conn.execute(_CREATE, arguments).rowcount
    if made:
        listen.notify(conn, f"backfills:{backfill.backfill_id}")
    return bool(made)


def get(conn: Connection, backfill_id: str, *, lock: bool = False) -> Backfill | None:
    """The backfill, or None; text that is no UUID is none.

    Args:
        lock: keep others from changing it until the transaction ends.
    """
    if not runs.is_run_id(backfill_id):
        return None
    query = select(_table).where(_table.c.backfill_id == backfill_id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _row(row)


def list_page(  # noqa: PLR0913 - each is a filter of its own, given by name
    conn: Connection,
    *,
    statuses: Collection[BackfillStatus] = (),
    job_name: str | None = None,
    location: str | None = None,
    tags: Mapping[str, str] | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Backfill]:
    """Backfills that pass all filters, newest first.

    Args:
        before: only those that come later in the list than this moment and id.

    Raises:
        InvalidRequestError: a cursor of another list.
    """
    query = select(_table).order_by(_table.c.created_at.desc(), _table.c.backfill_id.desc()).limit(limit + 1)
    if statuses:
        query = query.where(_table.c.status.in_([str(status) for status in statuses]))
    if job_name is not None:
        query = query.where(_table.c.job_name == job_name)
    if location is not None:
        query = query.where(_table.c.locations.contains([location]))
    if tags:
        query = query.where(_table.c.tags.contains(dict(tags)))
    if created_after is not None:
        query = query.where(_table.c.created_at > created_after)
    if created_before is not None:
        query = query.where(_table.c.created_at < created_before)
    if cursor:
        created_at, backfill_id = cursors.decode(cursor, (datetime, str))
        if not runs.is_run_id(backfill_id):
            cursors.decode("", (datetime, str))
        before = created_at, backfill_id
    if before is not None:
        key: Any = tuple_(_table.c.created_at, _table.c.backfill_id)
        query = query.where(key < tuple_(*before))
    found = [_row(row) for row in conn.execute(query)]
    return cursors.page(found, limit, lambda row: (row.created_at, row.backfill_id))


def children(conn: Connection, backfill_id: str) -> list[str]:
    """The backfills that make what this one did not."""
    query = select(_table.c.backfill_id).where(_table.c.parent_id == backfill_id).order_by(_table.c.created_at)
    return [str(found) for found in conn.execute(query).scalars()]


def movable(conn: Connection, limit: int) -> list[str]:
    """Backfills that a step can move now, oldest first."""
    return [str(found) for found in conn.execute(_MOVABLE, {"limit": limit}).scalars()]


def save(
    conn: Connection, backfill_id: str, progress: Progress, status: BackfillStatus, *, due: bool, error: ErrorInfo | None = None
) -> None:
    """Write what a step came to; the caller holds the row's lock.

    Args:
        due: another step can do something at once.
    """
    arguments = {
        "backfill_id": backfill_id,
        "progress": progress.to_bytes(),
        "status": status,
        "due": due and not status.is_final,
        "error": None if error is None else json_rows.dumps(error_to_json(error)),
        "statuses": sorted({str(status), *map(str, sources(status))}),
    }
    assert conn.execute(_SAVE, arguments).rowcount == 1, f"backfill {backfill_id} cannot become {status}"
    listen.notify(conn, f"backfills:{backfill_id}")


def request_cancel(conn: Connection, backfill_id: str) -> Backfill:
    """Ask for nothing more, and have its active runs stopped. Asking twice is no error.

    From the commit on the queue starts none of its runs (`runs.claim`), however many wait: the daemon takes them out in steps.

    Raises:
        NotFoundError: no such backfill.
        ConflictError: it has ended, other than by being canceled.
    """
    found = _existing(conn, backfill_id)
    if found.status in sources(BackfillStatus.CANCELING):
        save(conn, found.backfill_id, found.progress, BackfillStatus.CANCELING, due=True)
        backfill_runs.stop_active(conn, found.backfill_id, reason=CANCELED)
    elif found.status not in (BackfillStatus.CANCELING, BackfillStatus.CANCELED):
        raise ConflictError(f"Backfill {backfill_id} cannot be canceled: it has ended ({found.status})")
    return _existing(conn, backfill_id)


def resume(conn: Connection, backfill_id: str, *, digest: Digest) -> Backfill:
    """Ask again for what a canceled or failed backfill did not make.

    Args:
        digest: the definitions that it goes on with.

    Raises:
        NotFoundError: no such backfill.
        ConflictError: it has not ended, or made everything.
    """
    found = _existing(conn, backfill_id)
    if found.status not in sources(BackfillStatus.REQUESTED):
        mend = "it made everything" if found.status is BackfillStatus.COMPLETED else "it is under way"
        raise ConflictError(f"Backfill {backfill_id} cannot be resumed: {mend} ({found.status})")
    conn.execute(_RESUME, {"backfill_id": found.backfill_id, "digest": digest, "progress": found.progress.begun_again().to_bytes()})
    listen.notify(conn, f"backfills:{found.backfill_id}")
    return _existing(conn, backfill_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """The partitions of an asset that a live backfill is to make and has not made; `target` says what the ordinals stand for."""

    backfill_id: str
    location: LocationName
    asset_key: AssetKey
    digest: Digest
    target: Target
    ordinals: Subset


def underway(conn: Connection) -> list[Underway]:
    """What is in live backfills of assets. One query over the live ones, whatever the history."""
    query = select(_table).where(_table.c.status.in_([str(status) for status in LIVE]), _table.c.job_name.is_(None))
    found = []
    for row in map(_row, conn.execute(query.order_by(_table.c.created_at))):
        for name, subset in row.target.parts.items():
            rest = subset - row.progress.part(name).ended
            if rest:
                home = row.target.homes.get(name, Home(location=row.location, digest=row.digest))
                found.append(
                    Underway(
                        backfill_id=row.backfill_id,
                        location=home.location,
                        asset_key=AssetKey.from_user_string(name),
                        digest=home.digest,
                        target=row.target,
                        ordinals=rest,
                    )
                )
    return found


def _existing(conn: Connection, backfill_id: str) -> Backfill:
    found = get(conn, backfill_id, lock=True)
    if found is None:
        raise NotFoundError("backfill", backfill_id)
    return found


def _row(row: Any) -> Backfill:
    return Backfill(
        backfill_id=str(row.backfill_id),
        location=LocationName(row.location),
        digest=Digest(row.digest),
        job_name=row.job_name,
        asset_keys=asset_keys(row.asset_keys),
        status=BackfillStatus(row.status),
        target=Target.from_bytes(bytes(row.target)),
        progress=Progress.from_bytes(bytes(row.progress)),
        attempt=row.attempt,
        tags=row.tags,
        config=row.config,
        title=row.title,
        description=row.description,
        trigger=Trigger(kind=TriggerKind(row.trigger_kind), name=row.trigger_name),
        parent_id=None if row.parent_id is None else str(row.parent_id),
        error=error_from_json(row.error) if row.error else None,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


_CREATE = text("""
INSERT INTO backfills (backfill_id, location, locations, digest, job_name, asset_keys, target, tags, config, title, description,
    trigger_kind, trigger_name, parent_id)
VALUES (:backfill_id, :location, CAST(:locations AS text[]), :digest, :job_name, CAST(:asset_keys AS text[]), :target,
    CAST(:tags AS jsonb), CAST(:config AS jsonb), :title, :description, :trigger_kind, :trigger_name, CAST(:parent_id AS uuid))
ON CONFLICT (backfill_id) DO NOTHING
""")
_LIVE = ", ".join(f"'{status}'" for status in sorted(LIVE))
_MOVABLE = text(f"""
SELECT b.backfill_id FROM backfills b
WHERE b.status IN ({_LIVE})
  AND (b.due OR EXISTS (SELECT FROM runs r WHERE r.backfill_id = b.backfill_id AND {tables.TO_SETTLE}))
ORDER BY b.created_at LIMIT :limit
""")
_SAVE = text("""
UPDATE backfills SET progress = :progress, status = :status, due = :due, error = CAST(:error AS jsonb),
    ended_at = CASE WHEN :status IN ('CANCELED', 'COMPLETED', 'FAILED') THEN clock_timestamp() END
WHERE backfill_id = :backfill_id AND status = ANY(:statuses)
""")
_RESUME = text("""
UPDATE backfills SET status = 'REQUESTED', ended_at = NULL, error = NULL, due = true, attempt = attempt + 1, digest = :digest,
    progress = :progress
WHERE backfill_id = :backfill_id AND status IN ('CANCELED', 'FAILED')
""")
