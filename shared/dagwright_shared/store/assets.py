"""The state of assets: newest materialization, partitions, checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import LocationName, PartitionKey, RunId
from dagwright_shared.store import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRow:
    """What is known of one partition of an asset; an unpartitioned asset has one, `()`."""

    asset_id: int
    partition: PartitionKey
    run_id: RunId | None
    """Of the newest materialization; None when there was none."""
    seq: int | None
    materialized_at: datetime | None
    data_version: str | None
    code_version: str | None
    metadata: Mapping[str, Any]
    input_data_versions: Mapping[str, str]
    failed_run_id: RunId | None
    failed_at: datetime | None
    observed_run_id: RunId | None
    observed_at: datetime | None
    observed_data_version: str | None

    @property
    def failed(self) -> bool:
        """Whether the newest attempt to materialize it failed."""
        return self.failed_at is not None and (self.materialized_at is None or self.failed_at > self.materialized_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """The newest result of a check, for one partition."""

    asset_id: int
    name: str
    partition: PartitionKey
    run_id: RunId
    seq: int
    evaluated_at: datetime
    passed: bool
    severity: str
    blocking: bool
    description: str | None
    metadata: Mapping[str, Any]


def ids(conn: Connection, *, location: str | None = None, defined: bool | None = True) -> dict[tuple[LocationName, str], int]:
    """Asset ids by (location, key as text); `defined=None` also has assets that no snapshot has any more."""
    table = tables.assets
    query = select(table.c.location, table.c.key, table.c.asset_id)
    if location is not None:
        query = query.where(table.c.location == location)
    if defined is not None:
        query = query.where(table.c.defined == defined)
    return {(LocationName(place), key): asset_id for place, key, asset_id in conn.execute(query)}


def ids_of(conn: Connection, key: str) -> list[int]:
    """The ids of an asset key, one for each location that knows it, the defined ones first."""
    table = tables.assets
    query = select(table.c.asset_id).where(table.c.key == key).order_by(table.c.defined.desc(), table.c.asset_id)
    return list(conn.execute(query).scalars())


def latest(conn: Connection, asset_ids: Collection[int]) -> dict[int, PartitionRow]:
    """The partition of each asset that was materialized last; assets never materialized are left out."""
    return {row.asset_id: _partition(row) for row in conn.execute(_LATEST, {"ids": list(asset_ids)})}


def partitions(conn: Connection, asset_id: int) -> list[PartitionRow]:
    """All partitions of an asset that something is known of."""
    table = tables.asset_partitions
    query = select(table).where(table.c.asset_id == asset_id).order_by(table.c.partition)
    return [_partition(row) for row in conn.execute(query)]


def partition(conn: Connection, asset_id: int, key: PartitionKey) -> PartitionRow | None:
    table = tables.asset_partitions
    row = conn.execute(select(table).where(table.c.asset_id == asset_id, table.c.partition == list(key))).one_or_none()
    return None if row is None else _partition(row)


def checks(conn: Connection, asset_ids: Collection[int]) -> list[CheckRow]:
    """The newest results of the checks of these assets."""
    table = tables.check_results
    query = select(table).where(table.c.asset_id.in_(list(asset_ids))).order_by(table.c.asset_id, table.c.name, table.c.partition)
    return [_check(row) for row in conn.execute(query)]


def active_runs(conn: Connection, asset_ids: Sequence[int]) -> dict[int, list[RunId]]:
    """Queued and active runs that will materialize each asset, newest first."""
    found: dict[int, list[RunId]] = {asset_id: [] for asset_id in asset_ids}
    for asset_id, run_id in conn.execute(_ACTIVE, {"ids": list(asset_ids)}):
        found[asset_id].append(RunId(str(run_id)))
    return found


def _partition(row: Any) -> PartitionRow:
    return PartitionRow(
        asset_id=row.asset_id,
        partition=tuple(row.partition),
        run_id=_run_id(row.run_id),
        seq=row.seq,
        materialized_at=row.materialized_at,
        data_version=row.data_version,
        code_version=row.code_version,
        metadata=row.metadata,
        input_data_versions=row.input_data_versions,
        failed_run_id=_run_id(row.failed_run_id),
        failed_at=row.failed_at,
        observed_run_id=_run_id(row.observed_run_id),
        observed_at=row.observed_at,
        observed_data_version=row.observed_data_version,
    )


def _check(row: Any) -> CheckRow:
    return CheckRow(
        asset_id=row.asset_id,
        name=row.name,
        partition=tuple(row.partition),
        run_id=RunId(str(row.run_id)),
        seq=row.seq,
        evaluated_at=row.evaluated_at,
        passed=row.passed,
        severity=row.severity,
        blocking=row.blocking,
        description=row.description,
        metadata=row.metadata,
    )


def _run_id(value: object) -> RunId | None:
    return None if value is None else RunId(str(value))


_LATEST = text("""
SELECT p.* FROM unnest(CAST(:ids AS bigint[])) AS wanted(asset_id) CROSS JOIN LATERAL (
    SELECT * FROM asset_partitions ap WHERE ap.asset_id = wanted.asset_id AND ap.materialized_at IS NOT NULL
    ORDER BY ap.materialized_at DESC NULLS LAST LIMIT 1) AS p
""")
_ACTIVE = text("""
SELECT ra.asset_id, ra.run_id FROM runs r JOIN run_assets ra ON ra.run_id = r.run_id
WHERE r.status IN ('QUEUED', 'STARTING', 'STARTED', 'CANCELING') AND ra.asset_id = ANY(CAST(:ids AS bigint[])) ORDER BY ra.run_id DESC
""")
