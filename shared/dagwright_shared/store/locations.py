"""Code locations: their snapshots by digest, what state they are in, and the code servers that serve them."""

from __future__ import annotations

import gzip
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo, NotFoundError, error_from_json, error_to_json
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.model.snapshot import LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import InstigatorKind
from dagwright_shared.store import json_rows, listen, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationRow:
    """A location as the store has it."""

    location: LocationName
    digest: Digest | None
    """Of the newest snapshot that loaded."""
    state: LocationState
    error: ErrorInfo | None
    code_version: str | None
    spawn_reason: str | None
    load_seconds: float | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """A code server that has registered itself."""

    server_id: str
    location: LocationName
    address: str
    state: LocationState
    digest: Digest | None
    error: ErrorInfo | None
    started_at: datetime
    heartbeat_at: datetime
    heartbeat_age: float
    """Seconds since the last sign of life, by the database's clock."""


def publish_snapshot(conn: Connection, *, location: LocationName, digest: Digest, payload: bytes, snapshot: LocationSnapshot) -> None:
    """Make a snapshot the current one of its location, with rows for its assets, schedules and sensors. Again is no change.

    Args:
        conn: a connection in a transaction.
        location: whose definitions they are.
        digest: of `payload`.
        payload: the snapshot as `wire` encodes it; stored compressed.
        snapshot: the same, decoded.
    """
    conn.execute(_SNAPSHOT_LOCK, {"location": location})
    if conn.execute(select(tables.snapshots.c.digest).where(tables.snapshots.c.digest == digest)).scalar() is None:
        compressed = gzip.compress(payload, compresslevel=1, mtime=0)
        conn.execute(_SNAPSHOT, {"digest": digest, "location": location, "payload": compressed})
    conn.execute(_CURRENT, {"location": location, "digest": digest})
    keys = sorted({asset.key.to_user_string() for asset in snapshot.assets})
    conn.execute(_DEFINE_ASSETS, {"location": location, "keys": keys})
    conn.execute(_UNDEFINE_ASSETS, {"location": location, "keys": keys})
    schedules = [(InstigatorKind.SCHEDULE, schedule.name, schedule.default_running) for schedule in snapshot.schedules]
    sensors = [(InstigatorKind.SENSOR, sensor.name, sensor.default_running) for sensor in snapshot.sensors]
    rows = [{"location": location, "kind": kind, "name": name, "default_running": on} for kind, name, on in schedules + sensors]
    arguments = {"location": location, "rows": json_rows.dumps(rows)}
    conn.execute(_LOCK_INSTIGATORS, {"location": location})
    conn.execute(_UNDEFINE_INSTIGATORS, arguments)
    if rows:
        conn.execute(_DEFINE_INSTIGATORS, arguments)
    listen.notify(conn, "locations", "instigators")


def set_state(conn: Connection, status: LocationStatus) -> None:
    """Say how a location fares; its current snapshot stays what it is."""
    conn.execute(
        _STATE,
        {
            "location": status.location,
            "state": str(status.state),
            "error": json_rows.dumps(error_to_json(status.error)) if status.error else None,
            "spawn_reason": status.spawn_reason,
            "code_version": status.code_version,
            "load_seconds": status.load_seconds,
        },
    )
    listen.notify(conn, "locations")


def register_server(conn: Connection, status: LocationStatus, *, address: str) -> None:
    """Tell clients where a code server listens and how its location fares; also its sign of life."""
    conn.execute(
        _REGISTER,
        {
            "server_id": status.server_id,
            "location": status.location,
            "address": address,
            "state": str(status.state),
            "digest": status.digest,
            "error": json_rows.dumps(error_to_json(status.error)) if status.error else None,
        },
    )
    set_state(conn, status)


def heartbeat_server(conn: Connection, server_id: str) -> bool:
    """A sign of life. False: the row is gone, the server must register again."""
    return bool(conn.execute(_HEARTBEAT, {"server_id": server_id}).rowcount)


def remove_server(conn: Connection, server_id: str) -> None:
    conn.execute(text("DELETE FROM code_servers WHERE server_id = :server_id"), {"server_id": server_id})
    listen.notify(conn, "locations")


def remove_lost_servers(conn: Connection, *, older_than_seconds: float) -> list[str]:
    """Forget servers without a sign of life for so long; returns their ids."""
    return list(conn.execute(_REMOVE_LOST, {"seconds": older_than_seconds}).scalars())


def servers(conn: Connection) -> list[ServerRow]:
    """All registered servers, by location, the one that showed life last first."""
    return [
        ServerRow(
            server_id=row.server_id,
            location=LocationName(row.location),
            address=row.address,
            state=LocationState(row.state),
            digest=None if row.digest is None else Digest(row.digest),
            error=error_from_json(row.error) if row.error else None,
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            heartbeat_age=row.heartbeat_age,
        )
        for row in conn.execute(_SERVERS)
    ]


def current(conn: Connection) -> list[LocationRow]:
    """All locations, by name."""
    return [_location(row) for row in conn.execute(select(tables.locations).order_by(tables.locations.c.location))]


def get(conn: Connection, location: str) -> LocationRow | None:
    row = conn.execute(select(tables.locations).where(tables.locations.c.location == location)).one_or_none()
    return None if row is None else _location(row)


def remove(conn: Connection, location: str) -> None:
    """Take a location out of the deployment: its definitions go, the history of its assets and runs stays."""
    conn.execute(text("DELETE FROM locations WHERE location = :location"), {"location": location})
    conn.execute(text("UPDATE assets SET defined = false WHERE location = :location"), {"location": location})
    conn.execute(_LOCK_INSTIGATORS, {"location": location})
    conn.execute(text("UPDATE instigators SET defined = false WHERE location = :location"), {"location": location})
    listen.notify(conn, "locations")


def payload(conn: Connection, digest: Digest) -> bytes:
    """A snapshot as `wire` encoded it.

    Raises:
        NotFoundError: no snapshot has this digest.
    """
    found = conn.execute(select(tables.snapshots.c.payload).where(tables.snapshots.c.digest == digest)).scalar()
    if found is None:
        raise NotFoundError("snapshot", digest)
    return gzip.decompress(found)


def _location(row: Any) -> LocationRow:
    return LocationRow(
        location=LocationName(row.location),
        digest=None if row.digest is None else Digest(row.digest),
        state=LocationState(row.state),
        error=error_from_json(row.error) if row.error else None,
        code_version=row.code_version,
        spawn_reason=row.spawn_reason,
        load_seconds=row.load_seconds,
        updated_at=row.updated_at,
    )


# Two servers of one location may load at once; one after the other, or their assets would be locked in different orders.
_SNAPSHOT_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('dagwright snapshot ' || CAST(:location AS text), 0))")
_SNAPSHOT = text("INSERT INTO snapshots (digest, location, payload) VALUES (:digest, :location, :payload) ON CONFLICT (digest) DO NOTHING")
_CURRENT = text("""
INSERT INTO locations (location, digest, state) VALUES (:location, :digest, 'loaded')
ON CONFLICT (location) DO UPDATE SET digest = EXCLUDED.digest, state = 'loaded', error = NULL, updated_at = clock_timestamp()
""")
_DEFINE_ASSETS = text("""
INSERT INTO assets (location, key) SELECT :location, k FROM unnest(CAST(:keys AS text[])) AS k
ON CONFLICT (key, location) DO UPDATE SET defined = true WHERE NOT assets.defined
""")
_UNDEFINE_ASSETS = text(
    "UPDATE assets SET defined = false WHERE location = :location AND defined AND NOT (key = ANY(CAST(:keys AS text[])))"
)
_RUNS_NOW = "coalesce(instigators.switch, EXCLUDED.default_running)"
_RAN_BEFORE = "(instigators.defined AND coalesce(instigators.switch, instigators.default_running))"
# Ticks count from the moment at which a schedule began to run: by a switch, by its definition, or by coming back.
_DEFINE_INSTIGATORS = text(f"""
INSERT INTO instigators (location, kind, name, default_running, running_since)
SELECT location, kind, name, default_running, CASE WHEN default_running THEN clock_timestamp() END
FROM {json_rows.source(tables.instigators, ("location", "kind", "name", "default_running"))}
ON CONFLICT (location, kind, name) DO UPDATE SET
    default_running = EXCLUDED.default_running, defined = true,
    running_since = CASE WHEN NOT {_RUNS_NOW} THEN NULL WHEN {_RAN_BEFORE} THEN instigators.running_since ELSE clock_timestamp() END
""")
# In the order of ids, as ticks are taken.
_LOCK_INSTIGATORS = text("SELECT FROM instigators WHERE location = :location ORDER BY instigator_id FOR UPDATE")
_UNDEFINE_INSTIGATORS = text(f"""
UPDATE instigators SET defined = false WHERE location = :location AND defined AND (kind, name) NOT IN
    (SELECT kind, name FROM {json_rows.source(tables.instigators, ("kind", "name"))})
""")
_STATE = text("""
INSERT INTO locations (location, state, error, spawn_reason, code_version, load_seconds)
VALUES (:location, :state, CAST(:error AS jsonb), :spawn_reason, :code_version, :load_seconds)
ON CONFLICT (location) DO UPDATE SET state = EXCLUDED.state, error = EXCLUDED.error, spawn_reason = EXCLUDED.spawn_reason,
    code_version = EXCLUDED.code_version, load_seconds = EXCLUDED.load_seconds, updated_at = clock_timestamp()
""")
_REGISTER = text("""
INSERT INTO code_servers (server_id, location, address, state, digest, error)
VALUES (:server_id, :location, :address, :state, :digest, CAST(:error AS jsonb))
ON CONFLICT (server_id) DO UPDATE SET location = EXCLUDED.location, address = EXCLUDED.address, state = EXCLUDED.state,
    digest = EXCLUDED.digest, error = EXCLUDED.error, heartbeat_at = clock_timestamp()
""")
_HEARTBEAT = text("UPDATE code_servers SET heartbeat_at = clock_timestamp() WHERE server_id = :server_id")
_REMOVE_LOST = text("""
DELETE FROM code_servers WHERE heartbeat_at < clock_timestamp() - make_interval(secs => :seconds) RETURNING server_id
""")
_SERVERS = text("""
SELECT *, CAST(extract(epoch FROM clock_timestamp() - heartbeat_at) AS double precision) AS heartbeat_age
FROM code_servers ORDER BY location, heartbeat_at DESC
""")
