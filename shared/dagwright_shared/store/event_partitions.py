"""The weekly partitions of `events`: made ahead of time, so that old history can be dropped a week at a time.

Events of a week that has none yet, which only a wrong clock produces, go to the DEFAULT partition and are moved when the week is made.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

DEFAULT = "events_default"
_AHEAD = 3


def ensure(conn: Connection, now: datetime | None = None) -> list[str]:
    """Make the partitions of this week and the next three; returns the names of those that were missing."""
    moment = now or conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    monday = _monday(moment)
    wanted = {name_of(week): week for week in (monday + timedelta(weeks=ahead) for ahead in range(_AHEAD + 1))}
    found = conn.execute(
        text("SELECT n FROM unnest(CAST(:names AS text[])) AS n WHERE to_regclass(n) IS NOT NULL"), {"names": list(wanted)}
    )
    for name in found.scalars():
        del wanted[name]
    if wanted:
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('dagwright event partitions'))"))
    return [name for name, week in wanted.items() if _make(conn, name, week)]


def name_of(moment: datetime) -> str:
    """The partition that holds a moment's events."""
    return f"events_{_monday(moment):%Y%m%d}"


def names(conn: Connection) -> list[str]:
    """All partitions, oldest first, without the default one."""
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1")
    return [name for name in conn.execute(query).scalars() if name != DEFAULT]


def _monday(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _make(conn: Connection, name: str, start: datetime) -> bool:
    if conn.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None:
        return False
    bounds = {"start": start, "end": start + timedelta(weeks=1)}
    conn.execute(text(f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    conn.execute(
        text(
            f"WITH moved AS (DELETE FROM {DEFAULT} WHERE time >= :start AND time < :end RETURNING *) INSERT INTO {name} SELECT * FROM moved"
        ),
        bounds,
    )
    conn.exec_driver_sql(
        f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{bounds['start'].isoformat()}') TO ('{bounds['end'].isoformat()}')"
    )
    return True
