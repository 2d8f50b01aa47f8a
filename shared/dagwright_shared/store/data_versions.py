"""Which data asset partitions have, and of which it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey, LocationName, PartitionKey
from dagwright_shared.store import json_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """The newest data of an asset partition, and what it was made of."""

    key: str
    partition: PartitionKey
    data_version: str | None
    code_version: str | None
    """None also of data that was only observed."""
    inputs: Mapping[str, str]
    at: datetime


def read(conn: Connection, wanted: Iterable[tuple[LocationName, str, PartitionKey]]) -> Iterator[VersionRow]:
    """The data of partitions, each by location, key of the asset as text, and its own key; those without data are left out."""
    rows = [{"location": place, "key": key, "partition": partition} for place, key, partition in wanted]
    return map(_row, conn.execute(_OF_PARTITIONS, {"rows": json_rows.dumps(rows)}))


def of_assets(conn: Connection, keys: Collection[AssetKey]) -> Iterator[VersionRow]:
    """The data of all partitions of some assets."""
    return map(_row, conn.execute(_OF_ASSETS, {"keys": [key.to_user_string() for key in keys]}))


def partition_counts(conn: Connection, keys: Collection[AssetKey]) -> dict[AssetKey, int]:
    """How many partitions of these assets are materialized."""
    rows = conn.execute(_COUNTS, {"keys": [key.to_user_string() for key in keys]})
    return {AssetKey.from_user_string(row.key): row.partitions for row in rows}


def newest_partitions(conn: Connection, location: LocationName, key: str, limit: int) -> list[PartitionKey]:
    """The last partitions of an asset that have data, the last one first."""
    asset_id = conn.execute(_ID, {"location": location, "key": key}).scalar()
    rows = conn.execute(_NEWEST, {"asset_id": asset_id, "limit": limit})
    return [tuple(row.partition) for row in rows]


def _row(row: Row[Any]) -> VersionRow:
    # By position: thousands of them are read for a page.
    key, partition, data_version, code_version, inputs, at = tuple(row)
    return VersionRow(key=key, partition=tuple(partition), data_version=data_version, code_version=code_version, inputs=inputs or {}, at=at)


_COLUMNS = """
a.key, p.partition, CASE WHEN p.materialized_at IS NOT NULL THEN p.data_version ELSE p.observed_data_version END, p.code_version,
    NULLIF(p.input_data_versions, '{}'), coalesce(p.materialized_at, p.observed_at)"""
_OF_PARTITIONS = text(f"""
SELECT {_COLUMNS}
FROM json_to_recordset(CAST(:rows AS json)) AS w(location text, key text, partition text[])
JOIN assets a ON a.key = w.key AND a.location = w.location
CROSS JOIN LATERAL (SELECT * FROM asset_partitions o WHERE o.asset_id = a.asset_id AND o.partition = w.partition
    AND (o.materialized_at IS NOT NULL OR o.observed_at IS NOT NULL) OFFSET 0) p
""")
_OF_ASSETS = text(f"""
SELECT {_COLUMNS} FROM assets a JOIN asset_partitions p ON p.asset_id = a.asset_id
WHERE a.key = ANY(CAST(:keys AS text[])) AND (p.materialized_at IS NOT NULL OR p.observed_at IS NOT NULL)
""")
_COUNTS = text("""
SELECT a.key, t.materialized AS partitions FROM assets a JOIN asset_totals t ON t.asset_id = a.asset_id
WHERE a.key = ANY(CAST(:keys AS text[]))
""")
_ID = text("SELECT asset_id FROM assets WHERE location = :location AND key = :key")
# In the order of the primary key, from its end. That Postgres knows which asset it is tells it how many rows there would be to sort.
_NEWEST = text("""
SELECT p.partition FROM asset_partitions p
WHERE p.asset_id = :asset_id AND p.partition <> '{}' AND (p.materialized_at IS NOT NULL OR p.observed_at IS NOT NULL)
ORDER BY p.asset_id DESC, p.partition DESC LIMIT :limit
""")
