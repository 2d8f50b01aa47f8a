"""What happened to assets and checks, read for automation conditions: for many of them at once, and what is new since a snapshot.

New is what transactions wrote that an earlier snapshot (as `pg_current_snapshot` tells it) has not seen. So nothing is missed and nothing
comes twice, however long a transaction stays open, and no event waits for another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey, RunId, asset_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Which assets and checks something happened to."""

    assets: frozenset[AssetKey] = frozenset()
    """Made, observed, or failed, or judged by their freshness policy."""
    checks: frozenset[AssetCheckKey] = frozenset()
    runs_of_assets: frozenset[AssetKey] = frozenset()
    """A run that is to make it was asked for, or went on, or ended."""
    runs_of_checks: frozenset[AssetCheckKey] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFacts:
    """One partition of an asset."""

    key: AssetKey
    partition: PartitionKey
    run_id: RunId | None
    materialized_at: datetime | None
    observed_at: datetime | None
    failed: bool
    newly_materialized: bool
    newly_observed: bool
    new_version: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFacts:
    """The newest result of a check."""

    key: AssetCheckKey
    run_id: RunId
    evaluated_at: datetime
    passed: bool
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFacts:
    """An active or queued run that is to make a partition, or those up to `partition_end`."""

    key: AssetKey
    run_id: RunId
    partition: PartitionKey
    partition_end: PartitionKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrigin:
    tags: Mapping[str, str]
    asset_keys: tuple[AssetKey, ...]
    check_keys: tuple[AssetCheckKey, ...]


def current_snapshot(conn: Connection) -> str:
    """Which transactions can be seen."""
    return str(conn.execute(text("SELECT CAST(pg_current_snapshot() AS text)")).scalar_one())


def changes(conn: Connection, since: str) -> Changes:
    """What happened in transactions that the snapshot `since` had not seen. One statement: a run that somebody waits for comes of it."""
    row = conn.execute(_CHANGES, {"since": since}).one()
    return Changes(
        assets=frozenset(asset_keys({*row.assets, *row.judged})),
        checks=frozenset(AssetCheckKey(AssetKey.from_user_string(key), name) for key, name in row.checks or ()),
        runs_of_assets=frozenset(asset_keys(row.made)),
        runs_of_checks=frozenset(map(AssetCheckKey.from_user_string, row.checked)),
    )


def partitions(conn: Connection, keys: Collection[AssetKey], since: str | None, *, changed: str | None = None) -> list[PartitionFacts]:
    """What is known of the partitions of these assets.

    Args:
        since: the snapshot that had not seen what is new.
        changed: only of partitions that have changed since this snapshot.
    """
    arguments = {"keys": [key.to_user_string() for key in keys], "since": since}
    rows = conn.execute(_PARTITIONS, arguments) if changed is None else conn.execute(_CHANGED_PARTITIONS, {**arguments, "changed": changed})
    return [
        PartitionFacts(
            key=AssetKey.from_user_string(row.key),
            partition=tuple(row.partition),
            run_id=None if row.run_id is None else RunId(str(row.run_id)),
            materialized_at=row.materialized_at,
            observed_at=row.observed_at,
            failed=row.failed,
            newly_materialized=row.newly_materialized,
            newly_observed=row.newly_observed,
            new_version=row.new_version,
        )
        for row in rows
    ]


def checks(conn: Connection, keys: Collection[AssetKey], since: str | None) -> list[CheckFacts]:
    """The newest results of the checks of these assets."""
    rows = conn.execute(_CHECKS, {"keys": [key.to_user_string() for key in keys], "since": since})
    return [
        CheckFacts(
            key=AssetCheckKey(AssetKey.from_user_string(row.key), row.name),
            run_id=RunId(str(row.run_id)),
            evaluated_at=row.evaluated_at,
            passed=row.passed,
            new=row.new,
        )
        for row in rows
    ]


def planned(conn: Connection, keys: Collection[AssetKey]) -> list[PlannedFacts]:
    """The runs that are to make partitions of these assets."""
    rows = conn.execute(_PLANNED, {"keys": [key.to_user_string() for key in keys]})
    return [_planned(row) for row in rows]


def planned_checks(conn: Connection, keys: Collection[AssetCheckKey]) -> set[AssetCheckKey]:
    """Which of these checks a queued or active run names."""
    wanted = set(keys)
    rows = conn.execute(_PLANNED_CHECKS, {"keys": [key.to_user_string() for key in keys]}).scalars()
    return wanted & {AssetCheckKey.from_user_string(name) for found in rows for name in found}


def origins(conn: Connection, run_ids: Collection[RunId]) -> dict[RunId, RunOrigin]:
    """What these runs were asked for with."""
    if not run_ids:
        return {}
    return {
        RunId(str(row.run_id)): RunOrigin(
            tags=row.tags,
            asset_keys=asset_keys(row.asset_keys),
            check_keys=tuple(AssetCheckKey.from_user_string(key) for key in row.check_keys),
        )
        for row in conn.execute(_ORIGINS, {"ids": list(run_ids)})
    }


def freshness(conn: Connection, keys: Collection[AssetKey]) -> dict[AssetKey, FreshnessState]:
    """How these assets stand by their freshness policies; those without one are left out."""
    if not keys:
        return {}
    rows = conn.execute(_FRESHNESS, {"keys": [key.to_user_string() for key in keys]})
    return {AssetKey.from_user_string(row.key): FreshnessState(row.state) for row in rows}


def dynamic_marks(conn: Connection, names: Collection[str]) -> dict[str, tuple[int, int]]:
    """Of dynamic partitions by name: two numbers that are others when a key is added or deleted."""
    if not names:
        return {}
    return {row.name: (row.keys, row.newest) for row in conn.execute(_DYNAMIC, {"names": list(names)})}


def _planned(row: Any) -> PlannedFacts:
    end = row.partition_end
    return PlannedFacts(
        key=AssetKey.from_user_string(row.key),
        run_id=RunId(str(row.run_id)),
        partition=tuple(row.partition),
        partition_end=None if end is None else tuple(end),
    )


def _new(column: str, than: str = "since") -> str:
    """Whether a transaction is one that the earlier snapshot has not seen."""
    since = f"CAST(:{than} AS pg_snapshot)"
    return f"({column} >= pg_snapshot_xmin({since}) AND NOT pg_visible_in_snapshot({column}, {since}))"


_CHANGES = text(f"""
WITH changed AS MATERIALIZED (SELECT asset_keys, check_keys FROM runs WHERE {_new("xid")})
SELECT ARRAY(SELECT DISTINCT a.key FROM asset_partitions p JOIN assets a ON a.asset_id = p.asset_id WHERE {_new("p.xid")}) AS assets,
    ARRAY(SELECT a.key FROM freshness_states f JOIN assets a ON a.asset_id = f.asset_id WHERE {_new("f.xid")}) AS judged,
    (SELECT jsonb_agg(DISTINCT jsonb_build_array(a.key, c.name)) FROM check_results c JOIN assets a ON a.asset_id = c.asset_id
        WHERE {_new("c.xid")}) AS checks,
    ARRAY(SELECT DISTINCT unnest(asset_keys) FROM changed) AS made,
    ARRAY(SELECT DISTINCT unnest(check_keys) FROM changed) AS checked
""")
_PARTITIONS_OF = f"""
SELECT a.key, p.partition, p.run_id, p.materialized_at, p.observed_at,
    coalesce(p.failed_at > coalesce(p.materialized_at, '-infinity'), false) AS failed,
    coalesce({_new("p.materialized_xid")}, false) AS newly_materialized, coalesce({_new("p.observed_xid")}, false) AS newly_observed,
    coalesce({_new("p.version_xid")}, false) AS new_version
FROM assets a JOIN asset_partitions p ON p.asset_id = a.asset_id WHERE a.key = ANY(CAST(:keys AS text[]))
"""
_PARTITIONS = text(_PARTITIONS_OF)
_CHANGED_PARTITIONS = text(f"{_PARTITIONS_OF} AND {_new('p.xid', 'changed')}")
_CHECKS = text(f"""
SELECT a.key, c.name, c.run_id, c.evaluated_at, c.passed, coalesce({_new("c.xid")}, false) AS new
FROM assets a JOIN check_results c ON c.asset_id = a.asset_id WHERE a.key = ANY(CAST(:keys AS text[])) ORDER BY c.evaluated_at
""")
_PLANNED = text("""
SELECT a.key, r.run_id, ra.partition, r.partition_end FROM runs r JOIN run_assets ra ON ra.run_id = r.run_id
JOIN assets a ON a.asset_id = ra.asset_id
WHERE r.status IN ('QUEUED', 'STARTING', 'STARTED', 'CANCELING') AND a.key = ANY(CAST(:keys AS text[]))
""")
_PLANNED_CHECKS = text("""
SELECT check_keys FROM runs WHERE status IN ('QUEUED', 'STARTING', 'STARTED', 'CANCELING') AND check_keys && CAST(:keys AS text[])
""")
_ORIGINS = text("SELECT run_id, tags, asset_keys, check_keys FROM runs WHERE run_id = ANY(CAST(:ids AS uuid[]))")
_FRESHNESS = text("""
SELECT a.key, f.state FROM freshness_states f JOIN assets a ON a.asset_id = f.asset_id WHERE a.key = ANY(CAST(:keys AS text[]))
""")
_DYNAMIC = text("""
SELECT name, count(*) AS keys, max(ordinal) AS newest FROM dynamic_partitions WHERE name = ANY(CAST(:names AS text[])) GROUP BY name
""")
