"""Which daemon leads which loop, and which daemons there are. All times are the database's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.store import json_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    name: str
    holder: str
    term: int
    expires_at: datetime
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonRow:
    daemon_id: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    heartbeat_age: float
    """Seconds since the last sign of life, by the database's clock."""
    loops: Mapping[str, Any]


def acquire(conn: Connection, names: Collection[str], holder: str, seconds: float) -> dict[str, int]:
    """Take what is free or has lapsed, renew what is held, and return all that is held now, with its term.

    A term is raised at each change of holder, so an effect that carries it can be told from one of an earlier leader.
    """
    rows = conn.execute(_ACQUIRE, {"names": sorted(set(names)), "holder": holder, "seconds": seconds})
    return {row.name: row.term for row in rows}


def release(conn: Connection, names: Collection[str], holder: str) -> None:
    """Let others take over at once. Terms are kept: the next holder's is higher."""
    conn.execute(_RELEASE, {"names": list(names), "holder": holder})


def held_by_term(conn: Connection, name: str, holder: str, term: int) -> bool:
    """Whether the lease still stands; locks its row, so that it stands until the transaction ends."""
    return conn.execute(_HELD, {"name": name, "holder": holder, "term": term}).scalar() is not None


def leases(conn: Connection) -> list[LeaseRow]:
    """All leases, by name."""
    rows = conn.execute(text("SELECT *, expires_at <= clock_timestamp() AS expired FROM leases ORDER BY name"))
    return [LeaseRow(name=r.name, holder=r.holder, term=r.term, expires_at=r.expires_at, expired=r.expired) for r in rows]


def heartbeat_daemon(
    conn: Connection, *, daemon_id: str, host: str, pid: int, started_at: datetime | None = None, loops: Mapping[str, Any] | None = None
) -> None:
    """A daemon's sign of life, with what each of its loops did last."""
    arguments = {"daemon_id": daemon_id, "host": host, "pid": pid, "started_at": started_at, "loops": json_rows.dumps(dict(loops or {}))}
    conn.execute(_HEARTBEAT, arguments)


def remove_daemon(conn: Connection, daemon_id: str) -> None:
    conn.execute(text("DELETE FROM daemons WHERE daemon_id = :daemon_id"), {"daemon_id": daemon_id})


def remove_lost_daemons(conn: Connection, *, older_than_seconds: float) -> list[str]:
    """Forget daemons without a sign of life for so long; returns their ids."""
    return list(conn.execute(_REMOVE_LOST, {"seconds": older_than_seconds}).scalars())


def daemons(conn: Connection) -> list[DaemonRow]:
    """All daemons that have not signed off, the longest running first."""
    return [
        DaemonRow(
            daemon_id=row.daemon_id,
            host=row.host,
            pid=row.pid,
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            heartbeat_age=row.heartbeat_age,
            loops=row.loops,
        )
        for row in conn.execute(_DAEMONS)
    ]


_ACQUIRE = text("""
INSERT INTO leases (name, holder, term, expires_at)
SELECT n, :holder, 1, clock_timestamp() + make_interval(secs => :seconds) FROM unnest(CAST(:names AS text[])) AS n
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at,
    term = leases.term + CASE WHEN leases.holder = EXCLUDED.holder THEN 0 ELSE 1 END
WHERE leases.holder = EXCLUDED.holder OR leases.expires_at <= clock_timestamp()
RETURNING name, term
""")
_RELEASE = text("UPDATE leases SET expires_at = clock_timestamp() WHERE name = ANY(:names) AND holder = :holder")
_HELD = text("""
SELECT term FROM leases WHERE name = :name AND holder = :holder AND term = :term AND expires_at > clock_timestamp() FOR SHARE
""")
_HEARTBEAT = text("""
INSERT INTO daemons (daemon_id, host, pid, started_at, loops)
VALUES (:daemon_id, :host, :pid, coalesce(CAST(:started_at AS timestamptz), clock_timestamp()), CAST(:loops AS jsonb))
ON CONFLICT (daemon_id) DO UPDATE SET heartbeat_at = clock_timestamp(), loops = EXCLUDED.loops
""")
_REMOVE_LOST = text("DELETE FROM daemons WHERE heartbeat_at < clock_timestamp() - make_interval(secs => :seconds) RETURNING daemon_id")
_DAEMONS = text("""
SELECT *, CAST(extract(epoch FROM clock_timestamp() - heartbeat_at) AS double precision) AS heartbeat_age
FROM daemons ORDER BY started_at, daemon_id
""")
