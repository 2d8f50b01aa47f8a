"""What the queue decides by: how many runs are active, which ones, and which wait."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.limits import TagLimit
from dagwright_shared.model.runs import ACTIVE, Run
from dagwright_shared.store import json_rows, runs, tables

_runs = tables.runs
_ACTIVE = sorted(str(status) for status in ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    active: int
    """Runs that have a place."""
    background: int
    """Of these, runs of backfills and automation."""
    waiting: bool
    """Whether any run waits for a place."""
    canceling: bool
    """Whether any worker is to be stopped."""
    changes: Mapping[str, Any]
    """The limits that were changed while the deployment runs (`store.limits`), read by the way."""


def counts(conn: Connection) -> Counts:
    """Whether there is anything to do, and all that must be known for it where no limit but the number of runs holds."""
    row = conn.execute(_COUNTS, {"statuses": _ACTIVE}).one()
    return Counts(
        active=row.active, background=row.background, waiting=row.waiting, canceling=bool(row.canceling), changes=row.changes or {}
    )


def active(conn: Connection) -> list[Run]:
    """Runs that have a place, the one that has had it longest first."""
    query = select(_runs).where(_runs.c.status.in_(_ACTIVE)).order_by(_runs.c.claimed_at, _runs.c.run_id)
    return [runs.from_row(row) for row in conn.execute(query)]


def next_lapse(conn: Connection) -> datetime | None:
    """When the first lease of an active run ends, if nobody renews it."""
    moment: datetime | None = conn.execute(select(func.min(_runs.c.lease_expires_at)).where(_runs.c.status.in_(_ACTIVE))).scalar()
    return moment


def candidates(
    conn: Connection, *, locations: Collection[LocationName], background: bool, without: Sequence[TagLimit] = (), limit: int
) -> list[Run]:
    """Queued runs that may start as far as time, location and tags go, the first in the order.

    Args:
        background: whether runs of backfills and automation are wanted.
        without: runs that these tag limits concern are left out, as the limits are used up.
    """
    pairs = [json_rows.dumps({one.key: one.value}) for one in without if one.value is not None]
    keys = [one.key for one in without if one.value is None]
    parameters = {"locations": [*locations], "all": background, "pairs": pairs, "keys": keys, "limit": limit}
    return [runs.from_row(row) for row in conn.execute(_CANDIDATES, parameters)]


def position(conn: Connection, run: Run) -> int:
    """How many queued runs come before this one."""
    parameters = {"background": run.background, "priority": run.priority, "created_at": run.created_at, "run_id": run.run_id}
    return int(conn.execute(_POSITION, parameters).scalar_one())


_COUNTS = text("""
SELECT count(*) AS active, count(*) FILTER (WHERE background) AS background,
    count(*) FILTER (WHERE status = 'CANCELING') AS canceling, EXISTS (SELECT FROM runs WHERE status = 'QUEUED') AS waiting,
    (SELECT value FROM deployment_settings WHERE name = 'limits') AS changes
FROM runs WHERE status = ANY(:statuses)
""")
_CANDIDATES = text(f"""
SELECT * FROM runs WHERE status = 'QUEUED' AND (not_before IS NULL OR not_before <= clock_timestamp()) AND {runs.WANTED}
    AND location = ANY(CAST(:locations AS text[])) AND (:all OR NOT background)
    AND NOT tags ?| CAST(:keys AS text[]) AND NOT EXISTS (SELECT FROM unnest(CAST(:pairs AS jsonb[])) AS pair WHERE runs.tags @> pair)
ORDER BY background, priority DESC, created_at, run_id LIMIT :limit
""")
_POSITION = text("""
SELECT count(*) FROM runs WHERE status = 'QUEUED'
    AND (background, -priority, created_at, run_id) < (:background, -CAST(:priority AS integer), :created_at, CAST(:run_id AS uuid))
""")
