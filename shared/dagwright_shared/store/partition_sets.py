"""What has been worked out of assets with very many partitions, kept as ranges, for processes that have just begun.

Whoever writes it writes what was so at its horizon, so it does not matter who was last.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.model import subsets
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey, LocationName, PartitionKey
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import json_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSets:
    """The partitions of an asset by state."""

    mark: str
    """Of the definition: with another one the ordinals may stand for other keys."""
    horizon: int
    """All transactions before it are taken in."""
    materialized: Subset
    failed: Subset
    strays: tuple[tuple[PartitionKey, bool | None], ...]
    """Partitions that do not exist, or not yet, and whether the newest try failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeAsset:
    """An asset with very many partitions."""

    asset_id: int
    location: LocationName
    key: AssetKey
    mark: str | None
    """Of what is kept of it; None: nothing."""
    changed: bool
    """Whether much has changed since then."""


def load(conn: Connection, asset_id: int) -> KeptSets | None:
    """What is kept of an asset, if it can still be brought up to date."""
    row = conn.execute(_LOAD, {"asset_id": asset_id}).one_or_none()
    if row is None:
        return None
    return KeptSets(
        mark=row.mark,
        horizon=row.horizon,
        materialized=subsets.from_bytes(bytes(row.materialized)),
        failed=subsets.from_bytes(bytes(row.failed)),
        strays=tuple((tuple(key), failed) for key, failed in row.strays),
    )


def save(conn: Connection, asset_id: int, kept: KeptSets) -> None:
    arguments = {
        "asset_id": asset_id,
        "mark": kept.mark,
        "horizon": str(kept.horizon),
        "materialized": kept.materialized.to_bytes(),
        "failed": kept.failed.to_bytes(),
        "strays": json_rows.dumps([[list(key), failed] for key, failed in kept.strays]),
    }
    conn.execute(_SAVE, arguments)


def large(conn: Connection, *, at_least: int, changes: int) -> list[LargeAsset]:
    """The assets of which so many partitions have a state; `changed` where that of so many may be another one than what is kept."""
    return [
        LargeAsset(
            asset_id=row.asset_id,
            location=LocationName(row.location),
            key=AssetKey.from_user_string(row.key),
            mark=row.mark,
            changed=row.changed,
        )
        for row in conn.execute(_LARGE, {"at_least": at_least, "changes": changes})
    ]


# After a dump and a restore numbers of transactions begin anew: what was kept before says nothing then.
_VALID = "s.horizon <= pg_snapshot_xmax(pg_current_snapshot())"
_LOAD = text(f"""
SELECT mark, CAST(CAST(horizon AS text) AS bigint) AS horizon, materialized, failed, strays FROM partition_sets s
WHERE asset_id = :asset_id AND {_VALID}
""")
_SAVE = text("""
INSERT INTO partition_sets (asset_id, mark, horizon, materialized, failed, strays)
VALUES (:asset_id, :mark, CAST(CAST(:horizon AS text) AS xid8), :materialized, :failed, CAST(:strays AS jsonb))
ON CONFLICT (asset_id) DO UPDATE SET mark = EXCLUDED.mark, horizon = EXCLUDED.horizon, materialized = EXCLUDED.materialized,
    failed = EXCLUDED.failed, strays = EXCLUDED.strays, saved_at = clock_timestamp()
""")
_LARGE = text(f"""
SELECT a.asset_id, a.location, a.key, CASE WHEN {_VALID} THEN s.mark END AS mark, s.asset_id IS NULL OR NOT {_VALID} OR :changes <= (
    SELECT count(*) FROM (SELECT FROM asset_partitions p WHERE p.asset_id = a.asset_id AND p.xid >= s.horizon LIMIT :changes) c) AS changed
FROM asset_totals t JOIN assets a ON a.asset_id = t.asset_id LEFT JOIN partition_sets s ON s.asset_id = a.asset_id
WHERE t.materialized + t.failed >= :at_least AND a.defined ORDER BY a.asset_id
""")
