"""What has happened since a commit horizon, in as many words as sensors need to know whether it concerns them."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import RunSignal, RunStatus
from dagwright_shared.store import commit_horizon


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What changed between two commit horizons."""

    horizon: int
    """Where to go on: what was written above it is not told yet."""
    unsettled: bool
    """Whether something above it waits only for an older transaction to end."""
    asset_keys: frozenset[str]
    """Assets, as text, of which some partition changed."""
    runs: frozenset[RunSignal]
    """Where runs of which job came to which status."""


def since(conn: Connection, horizon: int | None) -> Signals:
    """What changed since a horizon; None: nothing of the past, only where to begin. One statement.

    Up to the horizon of now, and not all that can be seen: whoever is told goes on to read events with a cursor (`EventFilter.settled`),
    finds those below the horizon, and would not be told of the others again.
    """
    row = conn.execute(_SINCE, {"since": str(horizon if horizon is not None else _NEVER)}).one()
    return Signals(
        horizon=row.horizon,
        unsettled=row.unsettled,
        asset_keys=frozenset(row.asset_keys or ()),
        runs=frozenset(RunSignal(LocationName(location), job, RunStatus(status)) for location, job, status in row.runs or ()),
    )


_NEVER = 2**63 - 1
_SINCE = text(f"""
WITH h AS MATERIALIZED (SELECT {commit_horizon.SQL} AS x)
SELECT CAST(CAST(h.x AS text) AS bigint) AS horizon,
    (SELECT array_agg(DISTINCT a.key) FROM asset_partitions p JOIN assets a ON a.asset_id = p.asset_id
        WHERE p.xid >= CAST(:since AS xid8) AND p.xid < h.x) AS asset_keys,
    (SELECT jsonb_agg(DISTINCT jsonb_build_array(r.location, r.job_name, r.status)) FROM runs r
        WHERE r.xid >= CAST(:since AS xid8) AND r.xid < h.x) AS runs,
    coalesce((SELECT p.xid FROM asset_partitions p ORDER BY p.xid DESC LIMIT 1) >= h.x, false)
        OR coalesce((SELECT r.xid FROM runs r ORDER BY r.xid DESC LIMIT 1) >= h.x, false) AS unsettled
FROM h
""")
