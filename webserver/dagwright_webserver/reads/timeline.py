"""The timeline: runs of hours or days as bars, by job or by asset group, and the ticks that are to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, func, select

from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.ranges import format_range
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads.automation import Running, UpcomingTick, upcoming
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.run_list import MAX_LIST_ASSETS, title_of
from dagwright_webserver.reads.runs import active_statuses
from dagwright_webserver.reads.view import Moment, view

AHEAD = 0.12
"""How much of the timeline is the future, as a share of what it shows of the past."""
_MAX_BARS = 500
_MAX_TICKS = 200


class Lanes(StrEnum):
    """What has a lane of its own."""

    JOB = "job"
    GROUP = "group"


@view
class TimelineRun:
    """A run as a bar of the timeline."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    started_at: Moment
    """Start, or creation while it waits."""
    ended_at: Moment | None
    """End; null while it goes on."""


@view
class TimelineTick:
    """A tick that is to come."""

    schedule: str
    """The schedule."""
    at: Moment
    """When."""


@view
class TimelineRow:
    """A lane: the runs of one job, of assets picked freely, or of an asset group."""

    name: str
    """The job, the assets in a few words, or the group."""
    job: str | None
    """The job; null for assets picked freely, and for groups."""
    group: str | None
    """The asset group; null for jobs."""
    location: str
    """The code location."""
    runs: tuple[TimelineRun, ...]
    """Oldest first."""
    ticks: tuple[TimelineTick, ...]
    """What schedules will ask for before the timeline ends."""


@view
class TimelineView:
    """Runs over time."""

    now: Moment
    """The moment that everything is told for."""
    start: Moment
    """Where it begins."""
    end: Moment
    """Where it ends; after now, unless an earlier end was asked for."""
    by: Lanes
    """job or group."""
    rows: tuple[TimelineRow, ...]
    """The row with the newest run first, then those with ticks only."""
    complete: bool
    """Whether all runs of the time are shown; at most the newest 500 are."""


@dataclass(slots=True)
class _Lane:
    job: str | None
    group: str | None
    runs: list[TimelineRun] = field(default_factory=list)
    ticks: list[TimelineTick] = field(default_factory=list)


class DrawnRun(NamedTuple):
    """A run as far as the timeline knows it."""

    run_id: str
    status: str
    location: str
    job: str | None
    assets: list[str]
    """The first 20."""
    asset_count: int
    partition: list[str]
    partition_end: list[str] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def covers(self) -> str | None:
        """Its partition, or its range, as people write it."""
        return format_range(tuple(self.partition), None if self.partition_end is None else tuple(self.partition_end))


def runs_of(conn: Connection, start: datetime, end: datetime, now: datetime) -> list[DrawnRun]:
    """The newest runs that were asked for between two moments, and those that are not over if that is now; one more than are shown."""
    r = tables.runs.c
    # Two looks, each into an index of its own: one with OR would walk the whole history where little ran of late.
    looks = [select(*_DRAWN).where(r.created_at > start, r.created_at <= end)]
    if end >= now:
        looks.append(select(*_DRAWN).where(r.status.in_(active_statuses())))
    found: dict[str, DrawnRun] = {}
    for look in looks:
        for row in conn.execute(look.order_by(r.created_at.desc(), r.run_id.desc()).limit(_MAX_BARS + 1)):
            found[row[0]] = DrawnRun(*row)
    return sorted(found.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)[: _MAX_BARS + 1]


_DRAWN = (
    cast(tables.runs.c.run_id, Text), tables.runs.c.status, tables.runs.c.location, tables.runs.c.job_name,
    tables.runs.c.asset_keys[1:MAX_LIST_ASSETS], func.cardinality(tables.runs.c.asset_keys), tables.runs.c.partition,
    tables.runs.c.partition_end, tables.runs.c.created_at, tables.runs.c.started_at, tables.runs.c.ended_at,
)  # fmt: skip


def read_timeline(
    conn: Connection,
    defs: Definitions,
    running: Running,
    *,
    now: datetime,
    hours: float,
    until: datetime | None = None,
    by: Lanes = Lanes.JOB,
) -> tuple[TimelineView, list[DrawnRun]]:
    """The timeline of some hours, and the runs of it.

    Args:
        until: where it ends; None: a little after now, so that what comes next is seen.
    """
    end = until or now + timedelta(hours=hours * AHEAD)
    start = min(end, now) - timedelta(hours=hours)
    found = runs_of(conn, start, end, now)
    runs = found[:_MAX_BARS]
    ticks = upcoming(running, now=now, count=_MAX_TICKS, until=end) if end > now else ()
    rows = _rows(defs, runs, ticks, by)
    return TimelineView(now=now, start=start, end=end, by=by, rows=rows, complete=len(found) <= _MAX_BARS), runs


def _rows(defs: Definitions, runs: Sequence[DrawnRun], ticks: Iterable[UpcomingTick], by: Lanes) -> tuple[TimelineRow, ...]:
    lanes: dict[tuple[str, str], _Lane] = {}
    for run in runs:
        bar = TimelineRun(
            run_id=run.run_id,
            status=RunStatus(run.status),
            partition=run.covers,
            started_at=run.started_at or run.created_at,
            ended_at=run.ended_at,
        )
        for name in _names(defs, by, title_of(run.job, run.assets, run.asset_count), run.assets):
            lane = lanes.setdefault((name, run.location), _Lane(*_kind(by, name, run.job)))
            lane.runs.append(bar)
    for tick in ticks:
        for name in _names(defs, by, title_of(tick.target.job, tick.target.assets, len(tick.target.assets)), _assets(defs, tick)):
            lane = lanes.setdefault((name, tick.location), _Lane(*_kind(by, name, tick.target.job)))
            lane.ticks.append(TimelineTick(schedule=tick.schedule, at=tick.at))
    return tuple(
        TimelineRow(name=name, job=lane.job, group=lane.group, location=location, runs=tuple(reversed(lane.runs)), ticks=tuple(lane.ticks))
        for (name, location), lane in lanes.items()
    )


def _names(defs: Definitions, by: Lanes, title: str, assets: Sequence[str]) -> Iterable[str]:
    """The lanes of a run. What makes no asset has no group."""
    if by is Lanes.JOB:
        return [title]
    keys = [AssetKey.from_user_string(key) for key in assets]
    return dict.fromkeys(defs.assets[key][0][1].group for key in keys if key in defs.assets)


def _kind(by: Lanes, name: str, job: str | None) -> tuple[str | None, str | None]:
    return (job, None) if by is Lanes.JOB else (None, name)


def _assets(defs: Definitions, tick: UpcomingTick) -> Sequence[str]:
    if tick.target.job is None:
        return tick.target.assets
    jobs = [job for place, job in defs.jobs.get(tick.target.job, ()) if place == tick.location]
    return [key.to_user_string() for job in jobs for key in job.asset_keys]
