"""What lies around the runs: states of partitions and checks, which follow from the events; backfills, evaluations, people, services."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import Connection, text

from big.history import BACKFILL, Deployment, Historian, backfill_id
from big.locations import MILLION, PLACES, Sizes
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import PartProgress, Progress, Target
from dagwright_shared.model.keys import Digest
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.store import leases, pools
from dagwright_shared.store import locations as location_store

LOOPS = ("automation", "backfills", "event_sensors", "freshness", "locations", "queue", "recovery", "retention", "schedules", "sensors")


def write(conn: Connection, deployment: Deployment, sizes: Sizes, historian: Historian) -> None:
    million = deployment.asset_ids[PLACES[0], MILLION.to_user_string()]
    for statement in _STATES:
        conn.execute(text(statement))
    conn.execute(text(_MILLION), {"id": million, "side": int(sizes.partitions**0.5), "until": deployment.until})
    conn.execute(text("SELECT setval(pg_get_serial_sequence('ticks', 'tick_id'), :n)"), {"n": max(1, historian.ticks)})
    _backfills(conn, deployment, historian)
    many = {"n": max(20, sizes.runs // 20), "until": deployment.until, "tree": json.dumps(_TREE)}
    for statement in _PEOPLE:
        conn.execute(text(statement), many)
    for name, slots in (("warehouse", 8), ("api", 2), ("gpu", 1)):
        pools.define(conn, name, slots)
    live(conn, deployment.digests)


def live(conn: Connection, digests: object) -> None:
    """Heartbeats of a daemon and of a code server for each location, as of now."""
    found = dict(digests)  # type: ignore[call-overload]
    for place in PLACES:
        status = LocationStatus(
            location=place,
            server_id=f"{place}-1",
            state=LocationState.LOADED,
            digest=Digest(found[place]),
            code_version="2026.11.3",
            load_seconds=0.84,
        )
        location_store.register_server(conn, status, address="127.0.0.1:1")
    now = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    reports = {name: {"rounds": 4_812, "last_seconds": 0.004} for name in LOOPS}
    leases.heartbeat_daemon(
        conn, daemon_id="daemon-1", host="orchestrator-1", pid=4127, started_at=now - timedelta(hours=31), loops=reports
    )
    leases.acquire(conn, LOOPS, "daemon-1", 86_400.0)


def _backfills(conn: Connection, deployment: Deployment, historian: Historian) -> None:
    whole = subsets.of_range(0, BACKFILL)
    target = Target(as_of=deployment.until, parts={"": whole})
    job = next(job.name for job in deployment.snapshots[0].jobs if job.partitions is not None)
    for number in range(-(-historian.backfill_runs // BACKFILL)):
        made = min(BACKFILL, historian.backfill_runs - number * BACKFILL)
        failed = subsets.of_range(0, number % 7)
        part = PartProgress(enqueued=subsets.of_range(0, made), failed=failed, succeeded=subsets.of_range(0, made) - failed)
        status = "IN_PROGRESS" if made < BACKFILL else "FAILED" if failed else "COMPLETED"
        conn.execute(
            text(_BACKFILL),
            {
                "id": backfill_id(number),
                "location": PLACES[0],
                "digest": deployment.digests[PLACES[0]],
                "job": job,
                "target": target.to_bytes(),
                "progress": Progress(parts={"": part}).to_bytes(),
                "status": status,
                "until": deployment.until,
            },
        )


_TREE = {
    "name": "eager",
    "label": "eager",
    "true": True,
    "count": 1,
    "candidates": 1,
    "parts": [{"name": f"part {number}", "true": number % 2 == 0, "count": number % 2, "candidates": 1} for number in range(8)],
}
_STATES = (
    """
INSERT INTO asset_partitions (asset_id, partition, run_id, seq, materialized_at, data_version, metadata, materialized_xid, version_xid)
SELECT DISTINCT ON (asset_id, partition) asset_id, partition, run_id, seq, time, data->>'data_version', data->'metadata',
    pg_current_xact_id(), pg_current_xact_id()
FROM events WHERE type = 'ASSET_MATERIALIZED' AND asset_id IS NOT NULL ORDER BY asset_id, partition, time DESC
""",
    """
INSERT INTO asset_partitions (asset_id, partition, failed_run_id, failed_at)
SELECT DISTINCT ON (asset_id, partition) asset_id, partition, run_id, time
FROM events WHERE type = 'ASSET_FAILED' AND asset_id IS NOT NULL ORDER BY asset_id, partition, time DESC
ON CONFLICT (asset_id, partition) DO UPDATE SET failed_run_id = EXCLUDED.failed_run_id, failed_at = EXCLUDED.failed_at
""",
    """
INSERT INTO check_results (asset_id, name, partition, run_id, seq, evaluated_at, passed, severity, blocking, metadata)
SELECT DISTINCT ON (asset_id, check_name, partition) asset_id, check_name, partition, run_id, seq, time, CAST(data->>'passed' AS boolean),
    data->>'severity', CAST(data->>'blocking' AS boolean), data->'metadata'
FROM events WHERE type = 'CHECK_EVALUATED' AND asset_id IS NOT NULL ORDER BY asset_id, check_name, partition, time DESC
""",
    """
INSERT INTO log_chunks (run_id, step_key, attempt, stream, byte_offset, data)
SELECT s.run_id, s.step_key, 1, 'stdout', 0, CAST(repeat('what the step printed' || chr(10), 50) AS bytea)
FROM (SELECT run_id FROM runs WHERE started_at IS NOT NULL ORDER BY created_at DESC LIMIT 20000) r JOIN steps s USING (run_id)
""",
    "UPDATE instigators i SET last_tick_at = t.newest FROM (SELECT instigator_id, max(scheduled_for) AS newest FROM ticks GROUP BY 1) t "
    "WHERE t.instigator_id = i.instigator_id",
)
_MILLION = """
INSERT INTO asset_partitions (asset_id, partition, run_id, seq, materialized_at, failed_at, materialized_xid)
SELECT :id, ARRAY['k' || lpad(CAST(a AS text), 4, '0'), 'k' || lpad(CAST(b AS text), 4, '0')], NULL, 1,
    :until - make_interval(secs => a * 1000 + b), CASE WHEN (a * 7 + b * 13) % 50021 = 1 THEN :until END, pg_current_xact_id()
FROM generate_series(0, :side - 1) a, generate_series(0, :side - 1) b WHERE (a * 31 + b) % 97 <> 0 OR b < 500
"""
_BACKFILL = """
INSERT INTO backfills (backfill_id, location, locations, digest, job_name, status, target, progress, due, created_at, ended_at)
SELECT CAST(:id AS uuid), :location, ARRAY[:location], :digest, :job, :status, :target, :progress, false,
    coalesce(min(r.created_at), :until), CASE WHEN :status <> 'IN_PROGRESS' THEN coalesce(max(r.ended_at), :until) END
FROM runs r WHERE r.backfill_id = CAST(:id AS uuid)
"""
_PEOPLE = (
    """
INSERT INTO automation_evaluations (instigator_id, tick, time, asset_key, requested, tree)
SELECT i.instigator_id, n, :until - make_interval(secs => (:n - n) * 60), a.key, n % 2, CAST(:tree AS jsonb)
FROM generate_series(1, :n) n
JOIN (SELECT key, location, row_number() OVER (ORDER BY asset_id) AS place FROM assets ORDER BY asset_id LIMIT 500) a
    ON a.place = 1 + n % 500
JOIN instigators i ON i.location = a.location AND i.name = a.location || '_automation'
""",
    "INSERT INTO dynamic_partitions (name, key) SELECT 'tenants', 'tenant-' || n FROM generate_series(1, least(:n, 5000)) n",
    "INSERT INTO users (name, role) SELECT 'user' || n, 'viewer' FROM generate_series(1, 200) n",
    """
INSERT INTO audit_log (time, actor, action, target, location, result)
SELECT :until - make_interval(secs => (:n - n) * 60), 'user' || n % 200 + 1, CASE n % 3 WHEN 0 THEN 'launch' WHEN 1 THEN 'cancel_run'
    ELSE 'start_schedule' END, 'target' || n % 1000, 'sales', CASE WHEN n % 50 = 0 THEN 'refused' ELSE 'done' END
FROM generate_series(1, :n) n
""",
)
