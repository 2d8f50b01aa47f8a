"""The results of one check over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Uuid, cast, tuple_

from dagwright_shared.model.keys import format_partition
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.materializations import MAX_PLOT_POINTS, PlotPoint, PlotView, of_asset
from dagwright_webserver.reads.runs import is_run_id
from dagwright_webserver.reads.view import Moment, view


@view
class CheckEvaluationView:
    """One result of a check."""

    time: Moment
    """When."""
    passed: bool
    """Whether the asset was as it should be."""
    severity: str
    """WARN or ERROR: how bad it is where it did not pass."""
    partition: str | None
    """The partition that was looked at, where it was one."""
    run_id: str | None
    """The run that evaluated it; null when its result was reported from outside, or the run is deleted."""
    description: str | None
    """What was found, in words."""
    metadata: Mapping[str, Any]
    """What user code attached: label to `{"type", "raw_value"}`."""


@view
class CheckEvaluationListView:
    """One page of the results of a check, newest first."""

    items: tuple[CheckEvaluationView, ...]
    """The results."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


def list_evaluations(conn: Connection, asset_id: int, name: str, *, limit: int = 50, cursor: str | None = None) -> CheckEvaluationListView:
    """The results of a check of an asset, newest first."""
    e = tables.events.c
    query = of_asset(asset_id).where(e.type == "CHECK_EVALUATED", e.check_name == name)
    if cursor is not None:
        micros, run_id, seq = cursors.decode("check-evaluations", cursor, int, str, int)
        if not is_run_id(str(run_id)):
            raise cursors.bad_cursor(cursor)
        after = tuple_(cursors.to_moment(micros, cursor), cast(str(run_id), Uuid(as_uuid=False)), int(seq))
        query = query.where(tuple_(e.time, e.run_id, e.seq) < after)
    rows = conn.execute(query.order_by(e.time.desc(), e.run_id.desc(), e.seq.desc()).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(
        CheckEvaluationView(
            time=row.time,
            passed=row.data["passed"],
            severity=row.data["severity"],
            partition=format_partition(tuple(row.partition)),
            run_id=row.known_run,
            description=row.data.get("description"),
            metadata=row.data.get("metadata") or {},
        )
        for row in rows[:limit]
    )
    more = cursors.encode("check-evaluations", cursors.from_moment(last.time), last.run_id, last.seq) if last else None
    return CheckEvaluationListView(items=items, next_cursor=more)


def plots(found: CheckEvaluationListView) -> tuple[PlotView, ...]:
    """The numbers that were attached to results, over time."""
    lines: dict[str, list[PlotPoint]] = {}
    for one in reversed(found.items[:MAX_PLOT_POINTS]):
        for label, value in one.metadata.items():
            raw = value.get("raw_value") if isinstance(value, dict) and value.get("type") in ("int", "float") else None
            if isinstance(raw, int | float) and not isinstance(raw, bool):
                lines.setdefault(label, []).append(PlotPoint(value=float(raw), time=one.time, partition=one.partition, run_id=one.run_id))
    return tuple(PlotView(label=label, over="time", points=tuple(points)) for label, points in sorted(lines.items()) if len(points) > 1)
