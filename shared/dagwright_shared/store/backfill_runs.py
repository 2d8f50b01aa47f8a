"""The runs of a backfill: their ends, taken into account once each, and how those of a canceled one are taken out of the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import RunCanceled
from dagwright_shared.model.keys import PartitionKey, RunId
from dagwright_shared.model.runs import RunStatus, sources
from dagwright_shared.store import event_data, json_rows, listen, tables

_TOLD_ONE_BY_ONE = 200
"""Above this, pages are told that runs changed, not which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    run_id: RunId
    status: RunStatus
    asset_keys: tuple[str, ...]
    first: int
    last: int
    retried: bool
    """A run of the backfill tries it again."""
    made: tuple[tuple[str, PartitionKey], ...] = ()
    """What it materialized all the same, where it did not succeed."""


def settle(conn: Connection, backfill_id: str, *, limit: int) -> list[EndedRun]:
    """The runs that have ended and were not returned before; never again, if the caller's transaction commits."""
    rows = conn.execute(_SETTLE, {"backfill_id": backfill_id, "limit": limit}).all()
    partly = [str(row.run_id) for row in rows if row.status != RunStatus.SUCCESS and row.started_at is not None]
    made = _made(conn, partly)
    return [_ended(row, made.get(str(row.run_id), ())) for row in rows]


def cancel_queued(conn: Connection, backfill_id: str, *, reason: str, limit: int) -> list[EndedRun]:
    """Cancel runs that have not started, at most so many; they are settled by that, so that each row is written once.

    The caller holds the backfill's lock. A run that is being written to just now is left for the next call; see `unfinished`.
    """
    told = event_data.columns(RunCanceled(reason=reason))
    arguments = {
        "backfill_id": backfill_id,
        "reason": reason,
        "message": told.message,
        "level": told.level,
        "data": json_rows.dumps(told.data),
        "limit": limit,
    }
    gone = [_ended(row) for row in conn.execute(_CANCEL_QUEUED, arguments)]
    _tell(conn, backfill_id, [run.run_id for run in gone])
    return gone


def stop_active(conn: Connection, backfill_id: str, *, reason: str) -> int:
    """Have its runs that have a worker stopped; how many."""
    changed = [RunId(str(run_id)) for run_id in conn.execute(_STOP_ACTIVE, {"backfill_id": backfill_id, "reason": reason}).scalars()]
    _tell(conn, backfill_id, changed)
    return len(changed)


def unfinished(conn: Connection, backfill_id: str) -> bool:
    """Whether a run of it is neither over nor being stopped, or its end has yet to be taken into account."""
    return conn.execute(_UNFINISHED, {"backfill_id": backfill_id}).first() is not None


def counts(conn: Connection, backfill_id: str) -> Mapping[RunStatus, int]:
    """How many runs of it are in each status."""
    runs = tables.runs.c
    query = select(runs.status, func.count()).where(runs.backfill_id == backfill_id).group_by(runs.status)
    found = {RunStatus(status): count for status, count in conn.execute(query)}
    return {status: found.get(status, 0) for status in RunStatus}


def _ended(row: Any, made: Sequence[tuple[str, PartitionKey]] = ()) -> EndedRun:
    return EndedRun(
        run_id=RunId(str(row.run_id)),
        status=RunStatus(row.status),
        asset_keys=tuple(row.asset_keys),
        first=row.backfill_first,
        last=row.backfill_last,
        retried=row.retried,
        made=tuple(made),
    )


def _tell(conn: Connection, backfill_id: str, changed: Sequence[RunId]) -> None:
    if changed:
        topics = [f"runs:{run_id}" for run_id in changed] if len(changed) <= _TOLD_ONE_BY_ONE else ["runs"]
        listen.notify(conn, "queue", f"backfills:{backfill_id}", *topics)


def _made(conn: Connection, run_ids: Sequence[str]) -> dict[str, list[tuple[str, PartitionKey]]]:
    found: dict[str, list[tuple[str, PartitionKey]]] = {}
    rows: Any = conn.execute(_MADE, {"ids": list(run_ids)}) if run_ids else ()
    for run_id, key, partition in rows:
        found.setdefault(str(run_id), []).append((key, tuple(partition)))
    return found


_SETTLE = text(f"""
WITH ended AS MATERIALIZED (
    SELECT run_id FROM runs WHERE backfill_id = :backfill_id AND {tables.TO_SETTLE} ORDER BY run_id LIMIT :limit FOR UPDATE
)
UPDATE runs SET settled = true FROM ended WHERE runs.run_id = ended.run_id
RETURNING runs.run_id, runs.status, runs.asset_keys, runs.backfill_first, runs.backfill_last, runs.started_at,
    runs.status = 'FAILURE' AND EXISTS (SELECT FROM runs again WHERE again.run_key = 'retry:' || CAST(runs.run_id AS text)) AS retried
""")
_MADE = text("""
SELECT e.run_id, a.key, e.partition FROM events e JOIN assets a ON a.asset_id = e.asset_id
WHERE e.run_id = ANY(CAST(:ids AS uuid[])) AND e.type = 'ASSET_MATERIALIZED'
  AND e.time >= (SELECT min(created_at) - interval '1 day' FROM runs WHERE run_id = ANY(CAST(:ids AS uuid[])))
""")
# Rows that somebody else holds just now are passed over: whoever waits while holding thousands of rows is part of every deadlock.
_CANCEL_QUEUED = text("""
WITH picked AS MATERIALIZED (
    SELECT run_id FROM runs WHERE backfill_id = :backfill_id AND status = 'QUEUED' LIMIT :limit FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE runs SET status = 'CANCELED', epoch = epoch + 1, last_seq = last_seq + 1, ended_at = clock_timestamp(),
        lease_expires_at = NULL, status_reason = :reason, settled = true, xid = pg_current_xact_id()
    FROM picked WHERE runs.run_id = picked.run_id AND runs.status = 'QUEUED'
    RETURNING runs.run_id, runs.last_seq, runs.ended_at, runs.status, runs.asset_keys, runs.backfill_first, runs.backfill_last
), closed AS (
    UPDATE steps SET status = 'SKIPPED', ended_at = gone.ended_at FROM gone WHERE steps.run_id = gone.run_id AND steps.status = 'PENDING'
), told AS (
    INSERT INTO events (run_id, seq, time, type, level, message, data)
    SELECT run_id, last_seq, ended_at, 'RUN_CANCELED', :level, :message, CAST(:data AS jsonb) FROM gone
)
SELECT run_id, status, asset_keys, backfill_first, backfill_last, false AS retried FROM gone
""")
_STOP_ACTIVE = text(f"""
WITH picked AS MATERIALIZED (
    SELECT run_id FROM runs WHERE backfill_id = :backfill_id AND status IN ('STARTED', 'STARTING') FOR UPDATE SKIP LOCKED
)
UPDATE runs SET status = 'CANCELING', status_reason = :reason, canceling_at = clock_timestamp(), xid = pg_current_xact_id()
FROM picked WHERE runs.run_id = picked.run_id AND runs.status IN ({", ".join(f"'{one}'" for one in sorted(sources(RunStatus.CANCELING)))})
RETURNING runs.run_id
""")
_UNFINISHED = text(f"""
SELECT FROM runs WHERE backfill_id = :backfill_id AND status IN ('QUEUED', 'STARTING', 'STARTED')
UNION ALL SELECT FROM runs WHERE backfill_id = :backfill_id AND {tables.TO_SETTLE} LIMIT 1
""")
