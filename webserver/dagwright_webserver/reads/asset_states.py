"""What the store knows of assets: their state over all partitions, in numbers and in one word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_shared.store import tables
from dagwright_webserver.reads.runs import active_statuses


class AssetStatus(StrEnum):
    """The state of an asset in one word; with several partitions, the worst that needs attention."""

    MATERIALIZING = "MATERIALIZING"
    FAILED = "FAILED"
    """The newest try of some partition failed."""
    CHECK_FAILED = "CHECK_FAILED"
    """It has data, but a check of severity ERROR did not pass."""
    MATERIALIZED = "MATERIALIZED"
    MISSING = "MISSING"
    """Never materialized."""
    EXTERNAL = "EXTERNAL"
    """Made by somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetState:
    """What the store knows of an asset, over all of its partitions."""

    asset_id: int
    materialized: int = 0
    failed: int = 0
    materialized_at: datetime | None = None
    run_id: str | None = None
    code_version: str | None = None
    active_run_id: str | None = None
    checks_passed: int = 0
    checks_warned: int = 0
    checks_failed: int = 0
    freshness: FreshnessState | None = None
    """None: it has no freshness policy, or has not been judged yet."""
    freshness_since: datetime | None = None


UNKNOWN = AssetState(asset_id=0)
States = Mapping[tuple[str, str], AssetState]


def read_states(conn: Connection, keys: Iterable[AssetKey] | None = None) -> States:
    """(location, key as text) to state, for some assets or all that are defined."""
    a, p, f = tables.assets.c, tables.asset_partitions.c, tables.freshness_states.c
    wanted = a.defined if keys is None else a.key.in_([str(key) for key in keys])
    failed = and_(p.failed_at.is_not(None), or_(p.materialized_at.is_(None), p.failed_at > p.materialized_at))
    latest = (
        select(p.asset_id, tables.runs.c.run_id, p.code_version, p.materialized_at)
        .outerjoin(tables.runs, tables.runs.c.run_id == p.run_id)  # what is reported has none
        .where(p.asset_id == a.asset_id, p.materialized_at.is_not(None))
        .order_by(p.materialized_at.desc().nulls_last())
        .limit(1)
        .lateral("latest")
    )
    counts = (
        select(p.asset_id, func.count(p.materialized_at).label("materialized"), func.sum(case((failed, 1), else_=0)).label("failed"))
        .where(p.asset_id.in_(select(a.asset_id).where(wanted)))
        .group_by(p.asset_id)
        .subquery("counts")
    )
    query = (
        select(
            a.asset_id,
            a.location,
            a.key,
            counts.c.materialized,
            counts.c.failed,
            latest.c.materialized_at,
            latest.c.run_id,
            latest.c.code_version,
            f.state.label("freshness"),
            f.since.label("freshness_since"),
        )
        .outerjoin(tables.freshness_states, f.asset_id == a.asset_id)
        .outerjoin(counts, counts.c.asset_id == a.asset_id)
        .outerjoin(latest, literal_column("true"))
        .where(wanted)
    )
    active, checks = _active_runs(conn), _check_counts(conn)
    return {(row.location, row.key): _state(row, active, checks) for row in conn.execute(query)}


def _state(row: Any, active: Mapping[int, str], checks: Mapping[int, tuple[int, int, int]]) -> AssetState:
    passed, warned, failed = checks.get(row.asset_id, (0, 0, 0))
    return AssetState(
        asset_id=row.asset_id,
        materialized=row.materialized or 0,
        failed=int(row.failed or 0),
        materialized_at=row.materialized_at,
        run_id=row.run_id,
        code_version=row.code_version,
        active_run_id=active.get(row.asset_id),
        checks_passed=passed,
        checks_warned=warned,
        checks_failed=failed,
        freshness=FreshnessState(row.freshness) if row.freshness is not None else None,
        freshness_since=row.freshness_since,
    )


def _active_runs(conn: Connection) -> Mapping[int, str]:
    r, x = tables.runs.c, tables.run_assets.c
    query = select(x.asset_id, func.max(r.run_id.op("::")(literal_column("text")))).join(tables.runs, r.run_id == x.run_id)
    rows = conn.execute(query.where(r.status.in_(active_statuses())).group_by(x.asset_id)).all()
    return dict(rows)


def _check_counts(conn: Connection) -> Mapping[int, tuple[int, int, int]]:
    c = tables.check_results.c
    newest = (
        select(c.asset_id, c.passed, c.severity)
        .ext(distinct_on(c.asset_id, c.name))
        .order_by(c.asset_id, c.name, c.evaluated_at.desc())
        .subquery()
    )
    n = newest.c
    query = select(
        n.asset_id,
        func.count().filter(n.passed).label("passed"),
        func.count().filter(~n.passed, n.severity == "WARN").label("warned"),
        func.count().filter(~n.passed, n.severity != "WARN").label("failed"),
    ).group_by(n.asset_id)
    return {row.asset_id: (row.passed, row.warned, row.failed) for row in conn.execute(query)}


def status_of(asset: AssetSnapshot | None, state: AssetState) -> AssetStatus:
    """The state of an asset in one word."""
    if state.active_run_id is not None:
        return AssetStatus.MATERIALIZING
    if state.failed:
        return AssetStatus.FAILED
    if state.checks_failed:
        return AssetStatus.CHECK_FAILED
    if state.materialized:
        return AssetStatus.MATERIALIZED
    if asset is None or asset.execution is AssetExecution.EXTERNAL:
        return AssetStatus.EXTERNAL
    return AssetStatus.MISSING
