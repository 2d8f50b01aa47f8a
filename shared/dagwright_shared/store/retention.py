"""Purging of history that has served its time, in bounded pieces, and how much room everything takes.

The newest materialization, observation, failure and check of each asset partition stay whatever their age: pages show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError, NotFoundError
from dagwright_shared.model.retention import EventClass, Week
from dagwright_shared.model.runs import FINAL
from dagwright_shared.model.ticks import TickStatus
from dagwright_shared.store import event_partitions, json_rows

_MARK = "purged"
_TYPES: Mapping[EventClass, tuple[str, ...]] = {
    EventClass.NOISE: ("LOG_MESSAGE", "ENGINE_MESSAGE", "INPUT_LOADED", "OUTPUT_STORED"),
    EventClass.OBSERVATIONS: ("ASSET_OBSERVED",),
    EventClass.MATERIALIZATIONS: ("ASSET_MATERIALIZED", "ASSET_FAILED", "CHECK_EVALUATED", "FRESHNESS_CHANGED"),
}
_NAMED = tuple(name for names in _TYPES.values() for name in names)
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "runs": ("runs", "run_assets", "steps"),
    "captured logs": ("log_chunks",),
    "assets": ("assets", "asset_partitions", "check_results", "dynamic_partitions"),
    "ticks": ("ticks", "instigators"),
    "definitions": ("snapshots", "locations"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a part of the database takes."""

    name: str
    size_bytes: int
    rows: int
    """An estimate of Postgres."""


def weeks(conn: Connection) -> list[Week]:
    """The partitions of the event table, oldest first."""
    found = event_partitions.names(conn)
    return [Week(name=name, end=datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC) + timedelta(weeks=1)) for name in found]


def drop_week(conn: Connection, week: str) -> int:
    """Drop a partition; the events that must stay move to the default one. Returns how many those were.

    Waits at most two seconds for its exclusive lock, so that nobody who writes events waits longer for it.
    """
    conn.execute(text("SET LOCAL lock_timeout = '2s'"))
    conn.execute(text(f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM {_checked(week)} e WHERE {_NEWEST}"))
    conn.execute(text(f"DROP TABLE {week}"))
    return conn.execute(text("INSERT INTO events SELECT * FROM kept")).rowcount


def delete_events(conn: Connection, week: str, kind: EventClass, *, limit: int) -> int:
    """Delete events of a class from a week's partition, at most so many; returns how many."""
    condition = "e.type = ANY(:types)" if kind in _TYPES else "e.type <> ALL(:types)"
    if kind is EventClass.NOISE:
        condition += " AND e.level < 30"  # warnings and errors stay as long as the run
    statement = f"""DELETE FROM {_checked(week)} WHERE ctid IN (
        SELECT ctid FROM {week} e WHERE {condition} AND NOT ({_NEWEST}) LIMIT :limit)"""
    return conn.execute(text(statement), {"types": [*_TYPES.get(kind, _NAMED)], "limit": limit}).rowcount


def delete_ticks(conn: Connection, status: TickStatus, older_than: timedelta, *, limit: int) -> int:
    """Delete ticks that ended in a status; the newest of each schedule and sensor stays."""
    parameters = {"status": str(status), "seconds": older_than.total_seconds(), "limit": limit}
    return conn.execute(_TICKS, parameters).rowcount


def delete_logs(conn: Connection, older_than: timedelta, *, limit: int) -> tuple[int, bool]:
    """Delete the captured output of runs that ended so long ago.

    Args:
        limit: of so many runs at most; who comes next is remembered.

    Returns:
        How many pieces, and whether more runs are to be looked at.
    """
    since = marks(conn).get("logs", "-infinity")
    parameters = {"since": since, "seconds": older_than.total_seconds(), "limit": limit, "final": [*map(str, FINAL)]}
    found = conn.execute(_OLD_RUNS, parameters).all()
    if not found:
        return 0, False
    deleted = conn.execute(_LOGS, {"ids": [row.run_id for row in found]}).rowcount
    mark(conn, {"logs": found[-1].created_at.isoformat()})
    return deleted, len(found) == limit


def delete_runs(conn: Connection, older_than: timedelta, *, limit: int) -> int:
    """Delete runs that ended so long ago with their steps and output, but those that made what an asset partition holds now."""
    parameters = {"seconds": older_than.total_seconds(), "limit": limit, "final": [*map(str, FINAL)]}
    return conn.execute(_RUNS, parameters).rowcount


def delete_run(conn: Connection, run_id: str) -> None:
    """Delete an ended run with its steps, output and events, but for the events that say what asset partitions hold now.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it has not ended.
    """
    status = conn.execute(text("SELECT status FROM runs WHERE run_id = :run_id FOR UPDATE"), {"run_id": run_id}).scalar()
    if status is None:
        raise NotFoundError("run", run_id)
    if status not in FINAL:
        raise ConflictError(f"Run {run_id} is {status}; cancel it first, then it can be deleted")
    conn.execute(text(f"DELETE FROM events e WHERE e.run_id = :run_id AND NOT ({_NEWEST})"), {"run_id": run_id})
    conn.execute(text("DELETE FROM runs WHERE run_id = :run_id"), {"run_id": run_id})


def marks(conn: Connection) -> Mapping[str, str]:
    """How far purging has come, by what is purged."""
    found = conn.execute(text("SELECT value FROM deployment_settings WHERE name = :name"), {"name": _MARK}).scalar()
    return found if isinstance(found, dict) else {}


def mark(conn: Connection, changes: Mapping[str, str]) -> None:
    """Remember how far purging has come."""
    conn.execute(_REMEMBER, {"name": _MARK, "value": json_rows.dumps(dict(changes))})


def sizes(conn: Connection) -> list[Size]:
    """What each kind of history takes, with its indexes; the largest first."""
    found: dict[str, list[int]] = {}
    for row in conn.execute(_SIZES):
        group = next((name for name, members in _GROUPS.items() if row.name in members), "other")
        if row.name == "events" or row.name.startswith("events_"):
            group = "events"
        total = found.setdefault(group, [0, 0])
        total[0] += row.size
        total[1] += row.rows
    made = [Size(name=name, size_bytes=size, rows=rows) for name, (size, rows) in found.items()]
    return sorted(made, key=lambda size: -size.size_bytes)


def event_sizes(conn: Connection) -> list[Size]:
    """What the events of each week take, oldest first."""
    return [Size(name=row.name, size_bytes=row.size, rows=row.rows) for row in conn.execute(_SIZES) if row.name.startswith("events_")]


def _checked(week: str) -> str:
    if not (week.startswith("events_") and week[7:].isdigit()):
        raise ValueError(f"{week!r} is no partition of the event table")
    return week


_NEWEST = """e.asset_id IS NOT NULL AND (EXISTS (
    SELECT FROM asset_partitions ap WHERE ap.asset_id = e.asset_id AND ap.partition = e.partition AND (
        (ap.run_id = e.run_id AND ap.seq = e.seq) OR (ap.observed_run_id = e.run_id AND ap.observed_at = e.time)
        OR (ap.failed_run_id = e.run_id AND ap.failed_at = e.time)))
    OR EXISTS (SELECT FROM check_results c WHERE c.asset_id = e.asset_id AND c.name = e.check_name AND c.partition = e.partition
        AND c.run_id = e.run_id AND c.seq = e.seq))"""
_TICKS = text("""
DELETE FROM ticks WHERE tick_id IN (
    SELECT t.tick_id FROM ticks t WHERE t.status = :status AND t.scheduled_for < clock_timestamp() - make_interval(secs => :seconds)
        AND t.scheduled_for < (SELECT max(n.scheduled_for) FROM ticks n WHERE n.instigator_id = t.instigator_id)
    ORDER BY t.scheduled_for LIMIT :limit)
""")
_OLD_RUNS = text("""
SELECT run_id, created_at FROM runs
WHERE created_at > CAST(:since AS timestamptz) AND created_at < clock_timestamp() - make_interval(secs => :seconds)
    AND status = ANY(:final) AND ended_at < clock_timestamp() - make_interval(secs => :seconds)
ORDER BY created_at, run_id LIMIT :limit
""")
_LOGS = text("DELETE FROM log_chunks WHERE run_id = ANY(CAST(:ids AS uuid[]))")
_RUNS = text("""
DELETE FROM runs WHERE run_id IN (
    SELECT r.run_id FROM runs r WHERE r.created_at < clock_timestamp() - make_interval(secs => :seconds)
        AND r.status = ANY(:final) AND r.ended_at < clock_timestamp() - make_interval(secs => :seconds)
        AND NOT EXISTS (SELECT FROM run_assets ra JOIN asset_partitions ap
            ON ap.asset_id = ra.asset_id AND ap.partition = ra.partition AND ap.run_id = ra.run_id WHERE ra.run_id = r.run_id)
    ORDER BY r.created_at, r.run_id LIMIT :limit)
""")
_REMEMBER = text("""
INSERT INTO deployment_settings (name, value) VALUES (:name, CAST(:value AS jsonb))
ON CONFLICT (name) DO UPDATE SET value = deployment_settings.value || EXCLUDED.value, updated_at = clock_timestamp()
""")
_SIZES = text("""
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS size, CAST(greatest(c.reltuples, 0) AS bigint) AS rows
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
""")
