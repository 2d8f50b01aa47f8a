"""Which data asset partitions have, and of which it was made. Assets are named by their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.store import json_rows


class VersionRow(NamedTuple):
    """The newest data of an asset partition, and what it was made of. A tuple: thousands of them are read for a page."""

    asset_id: int
    partition: PartitionKey
    data_version: str | None
    code_version: str | None
    """None also of data that was only observed."""
    inputs: Mapping[str, str]


def read(conn: Connection, wanted: Iterable[tuple[int, PartitionKey]]) -> Iterator[VersionRow]:
    """The data of partitions; those without data are left out."""
    rows = [{"asset_id": asset_id, "partition": partition} for asset_id, partition in wanted]
    return map(_row, conn.execute(_OF_PARTITIONS, {"rows": json_rows.dumps(rows)})) if rows else iter(())


def whole(conn: Connection, asset_ids: Collection[int]) -> Iterator[VersionRow]:
    """The data of assets without partitions."""
    return map(_row, conn.execute(_WHOLE, {"ids": list(asset_ids)})) if asset_ids else iter(())


def newest(conn: Connection, asset_ids: Collection[int], each: int) -> Iterator[VersionRow]:
    """The data of the last partitions of assets, so many of each, its last one first."""
    return map(_row, conn.execute(_NEWEST, {"ids": list(asset_ids), "each": each})) if asset_ids else iter(())


def changed_since(conn: Connection, horizon: int, most: int) -> frozenset[int] | None:
    """Assets of which some partition has changed since a commit horizon; None: more than `most` partitions have."""
    found = [asset_id for (asset_id,) in conn.execute(_CHANGED, {"horizon": str(horizon), "rows": most + 1})]
    return frozenset(found) if len(found) <= most else None


def _row(row: Row[Any]) -> VersionRow:
    asset_id, partition, data_version, code_version, inputs = tuple(row)
    return VersionRow(asset_id, tuple(partition), data_version, code_version, inputs or {})


_COLUMNS = """
p.asset_id, p.partition, CASE WHEN p.materialized_at IS NOT NULL THEN p.data_version ELSE p.observed_data_version END, p.code_version,
    NULLIF(p.input_data_versions, '{}')"""
_HAS_DATA = "(p.materialized_at IS NOT NULL OR p.observed_at IS NOT NULL)"
_OF_PARTITIONS = text(f"""
SELECT {_COLUMNS} FROM json_to_recordset(CAST(:rows AS json)) AS w(asset_id bigint, partition text[])
CROSS JOIN LATERAL (SELECT * FROM asset_partitions p WHERE p.asset_id = w.asset_id AND p.partition = w.partition AND {_HAS_DATA} OFFSET 0) p
""")
_WHOLE = text(f"""
SELECT {_COLUMNS} FROM unnest(CAST(:ids AS bigint[])) AS w(asset_id)
CROSS JOIN LATERAL (SELECT * FROM asset_partitions p WHERE p.asset_id = w.asset_id AND p.partition = '{{}}' AND {_HAS_DATA} OFFSET 0) p
""")
# In the order of the primary key, from its end.
_NEWEST = text(f"""
SELECT {_COLUMNS} FROM unnest(CAST(:ids AS bigint[])) AS w(asset_id)
CROSS JOIN LATERAL (
    SELECT * FROM asset_partitions p WHERE p.asset_id = w.asset_id AND p.partition <> '{{}}' AND {_HAS_DATA}
    ORDER BY p.asset_id DESC, p.partition DESC LIMIT :each) p
""")
_CHANGED = text("SELECT asset_id FROM asset_partitions WHERE xid >= CAST(:horizon AS xid8) ORDER BY xid LIMIT :rows")
