"""How assets stand by their freshness policies: what the freshness loop has judged, for everybody else to read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.store import json_rows, listen, tables

_states = tables.freshness_states


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRow:
    """The state of an asset that has a policy."""

    asset_id: int
    state: FreshnessState
    since: datetime
    """The state has been this one since then."""
    materialized_at: datetime | None
    """The materialization that it was judged by."""


def states(conn: Connection, asset_ids: Collection[int] | None = None) -> dict[int, FreshnessRow]:
    """The states by asset id, of these assets or of all; assets without a policy are left out."""
    query = select(_states)
    if asset_ids is not None:
        query = query.where(_states.c.asset_id.in_(list(asset_ids)))
    return {
        row.asset_id: FreshnessRow(
            asset_id=row.asset_id, state=FreshnessState(row.state), since=row.since, materialized_at=row.materialized_at
        )
        for row in conn.execute(query)
    }


def newest(conn: Connection, asset_ids: Sequence[int]) -> dict[int, datetime]:
    """When each asset was materialized last, whichever partition; those that never were are left out."""
    return {row.asset_id: row.materialized_at for row in conn.execute(_NEWEST, {"ids": list(asset_ids)})}


def materialized_since(conn: Connection, horizon: int) -> dict[int, datetime | None]:
    """As `newest`, of the assets that changed in transactions from a commit horizon on; None: all is wiped.

    All that can be seen, also above the horizon of now: it is told again next time, which does no harm, and waits for nobody's transaction.
    """
    return {row.asset_id: row.materialized_at for row in conn.execute(_MATERIALIZED, {"horizon": str(horizon)})}


def write(conn: Connection, rows: Sequence[FreshnessRow]) -> None:
    """Store what was judged. `since` is kept where the state is the one before."""
    if not rows:
        return
    plain = [
        {
            "asset_id": row.asset_id,
            "state": str(row.state),
            "since": row.since.isoformat(),
            "materialized_at": row.materialized_at.isoformat() if row.materialized_at else None,
        }
        for row in rows
    ]
    conn.execute(_WRITE, {"rows": json_rows.dumps(plain)})
    listen.notify(conn, "freshness")


def keep_only(conn: Connection, asset_ids: Collection[int]) -> None:
    """Forget the states of all other assets: they have no policy any more."""
    conn.execute(text("DELETE FROM freshness_states WHERE NOT asset_id = ANY(:ids)"), {"ids": list(asset_ids)})


def counts(conn: Connection) -> Mapping[FreshnessState, int]:
    """How many assets are in each state."""
    rows = conn.execute(text("SELECT state, count(*) AS number FROM freshness_states GROUP BY state"))
    found = {FreshnessState(row.state): row.number for row in rows}
    return {state: found.get(state, 0) for state in FreshnessState}


_NEWEST = text("""
SELECT wanted.asset_id, newest.materialized_at FROM unnest(CAST(:ids AS bigint[])) AS wanted(asset_id) CROSS JOIN LATERAL (
    SELECT p.materialized_at FROM asset_partitions p WHERE p.asset_id = wanted.asset_id AND p.materialized_at IS NOT NULL
    ORDER BY p.materialized_at DESC NULLS LAST LIMIT 1) AS newest
""")
_MATERIALIZED = text("""
SELECT changed.asset_id, newest.materialized_at FROM (
    SELECT DISTINCT asset_id FROM asset_partitions WHERE xid >= CAST(:horizon AS xid8)
) AS changed LEFT JOIN LATERAL (
    SELECT p.materialized_at FROM asset_partitions p WHERE p.asset_id = changed.asset_id AND p.materialized_at IS NOT NULL
    ORDER BY p.materialized_at DESC NULLS LAST LIMIT 1) AS newest ON true
""")
_WRITE = text(f"""
INSERT INTO freshness_states (asset_id, state, since, materialized_at)
SELECT asset_id, state, since, materialized_at
FROM {json_rows.source(_states, ("asset_id", "state", "since", "materialized_at"))}
ON CONFLICT (asset_id) DO UPDATE SET xid = pg_current_xact_id(), state = EXCLUDED.state, materialized_at = EXCLUDED.materialized_at,
    since = CASE WHEN freshness_states.state = EXCLUDED.state THEN freshness_states.since ELSE EXCLUDED.since END
""")
