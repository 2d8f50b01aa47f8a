"""The history of an asset, and its numeric metadata as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, Uuid, cast, select, text, tuple_

from dagwright_shared.model.keys import format_partition
from dagwright_shared.store import tables, wipes
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.runs import is_run_id
from dagwright_webserver.reads.view import Moment, view


class HistoryType(StrEnum):
    """What the history of an asset consists of."""

    ASSET_MATERIALIZED = "ASSET_MATERIALIZED"
    ASSET_OBSERVED = "ASSET_OBSERVED"
    ASSET_FAILED = "ASSET_FAILED"
    FRESHNESS_CHANGED = "FRESHNESS_CHANGED"


@view
class MaterializationView:
    """One materialization or observation."""

    type: HistoryType
    """What happened: it was materialized, observed, failed, or its freshness is another one."""
    time: Moment
    """When it happened."""
    run_id: str | None
    """The run that did it; null when it was reported from outside of any run, or the run is deleted."""
    seq: int
    """Number of the event in that run."""
    step_key: str | None
    """The step that did it."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    message: str
    """What happened, in words."""
    description: str | None
    """What user code said of it."""
    metadata: Mapping[str, Any]
    """What user code attached: label to `{"type", "raw_value"}`."""
    tags: Mapping[str, str]
    """Free labels that user code attached."""
    data_version: str | None
    """Version of the data that was made."""
    code_version: str | None
    """Version of the code that made it."""
    input_data_versions: Mapping[str, str]
    """Of a materialization: key of each upstream asset to the version of its data that was read."""


@view
class MaterializationListView:
    """One page of the history, newest first."""

    items: tuple[MaterializationView, ...]
    """The events."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class PlotPoint:
    """One point of a plot."""

    value: float
    """The number."""
    time: Moment
    """When it was materialized."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    run_id: str | None
    """The run that attached it; null when it was reported from outside of any run, or the run is deleted."""


@view
class PlotView:
    """A numeric metadata label over partitions, or over time when unpartitioned."""

    label: str
    """The metadata label."""
    over: str
    """partition or time: what the points are sorted by."""
    points: tuple[PlotPoint, ...]
    """At most 400, oldest first."""


@view
class PlotListView:
    """The numeric metadata of an asset."""

    items: tuple[PlotView, ...]
    """A plot for each label."""


class PlotOver(StrEnum):
    """What the points of plots are sorted by."""

    PARTITION = "partition"
    TIME = "time"


MAX_PLOT_POINTS = 400


def list_materializations(
    conn: Connection,
    asset_id: int,
    *,
    types: Sequence[str] = tuple(HistoryType),
    partition: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> MaterializationListView:
    """The history of an asset, newest first."""
    e = tables.events.c
    query = of_asset(asset_id).where(e.type.in_(types))
    if partition is not None:
        query = query.where(e.partition == partition.split("|"))
    if cursor is not None:
        micros, run_id, seq = cursors.decode("materializations", cursor, int, str, int)
        if not is_run_id(str(run_id)):
            raise cursors.bad_cursor(cursor)
        after = tuple_(cursors.to_moment(micros, cursor), cast(str(run_id), Uuid(as_uuid=False)), int(seq))
        query = query.where(tuple_(e.time, e.run_id, e.seq) < after)
    rows = conn.execute(query.order_by(e.time.desc(), e.run_id.desc(), e.seq.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    last = shown[-1] if shown else None
    more = cursors.encode("materializations", cursors.from_moment(last.time), last.run_id, last.seq) if last and len(rows) > limit else None
    return MaterializationListView(items=tuple(_materialization(row) for row in shown), next_cursor=more)


def of_asset(asset_id: int) -> Select[Any]:
    """Its events that no wipe has hidden, each with its run where there is one."""
    known = tables.runs.c.run_id
    query = select(tables.events, known.label("known_run")).outerjoin(tables.runs, known == tables.events.c.run_id)
    return query.where(tables.events.c.asset_id == asset_id, text(wipes.VISIBLE.format(e="events")))


def _materialization(row: Row[Any]) -> MaterializationView:
    return MaterializationView(
        type=HistoryType(row.type),
        time=row.time,
        run_id=row.known_run,
        seq=row.seq,
        step_key=row.step_key,
        partition=format_partition(tuple(row.partition)),
        message=row.message,
        description=row.data.get("description"),
        metadata=row.data.get("metadata") or {},
        tags=row.data.get("tags") or {},
        data_version=row.data.get("data_version"),
        code_version=row.data.get("code_version"),
        input_data_versions=row.data.get("input_data_versions") or {},
    )


def read_plots(conn: Connection, asset_id: int, *, partitioned: bool) -> tuple[PlotView, ...]:
    """The numeric metadata of an asset: newest value of each partition, or the newest events when unpartitioned."""
    if partitioned:
        p = tables.asset_partitions.c
        query = (
            select(p.partition, tables.runs.c.run_id, p.materialized_at.label("time"), p.metadata)
            .outerjoin(tables.runs, tables.runs.c.run_id == p.run_id)
            .where(p.asset_id == asset_id, p.materialized_at.is_not(None))
            .order_by(p.partition.desc())
        )
    else:
        e = tables.events.c
        query = (
            of_asset(asset_id)
            .with_only_columns(e.partition, tables.runs.c.run_id, e.time, e.data["metadata"].label("metadata"), maintain_column_froms=True)
            .where(e.type == "ASSET_MATERIALIZED")
            .order_by(e.time.desc(), e.seq.desc())
        )
    plots: dict[str, list[PlotPoint]] = {}
    for row in reversed(conn.execute(query.limit(MAX_PLOT_POINTS)).all()):
        for label, value in (row.metadata or {}).items():
            raw = value.get("raw_value") if isinstance(value, dict) and value.get("type") in ("int", "float") else None
            if isinstance(raw, int | float) and not isinstance(raw, bool):
                point = PlotPoint(value=float(raw), time=row.time, partition=format_partition(tuple(row.partition)), run_id=row.run_id)
                plots.setdefault(label, []).append(point)
    over = "partition" if partitioned else "time"
    return tuple(PlotView(label=label, over=over, points=tuple(points)) for label, points in sorted(plots.items()))
