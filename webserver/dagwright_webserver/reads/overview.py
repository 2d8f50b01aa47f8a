"""The first page: what runs, what failed, what comes next, and whether all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, func, or_, select

from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import FINAL, RunStatus
from dagwright_shared.store import limits, tables
from dagwright_webserver.reads.asset_states import count_statuses
from dagwright_webserver.reads.automation import UpcomingTick, upcoming
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.deployment import QueueView, database_now, find_problems, read_daemons, read_locations, read_queue
from dagwright_webserver.reads.run_list import RunFilter, RunSummary, list_runs, summaries, summary
from dagwright_webserver.reads.view import Moment, view


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
class TimelineRow:
    """The runs of one job, or of assets picked freely."""

    name: str
    """The job, or the assets in a few words."""
    job: str | None
    """The job; null for assets picked freely."""
    location: str
    """The code location."""
    runs: tuple[TimelineRun, ...]
    """Oldest first."""


@view
class OverviewView:
    """The first page."""

    now: Moment
    """The moment that everything is told for."""
    window_start: Moment
    """Start of the timeline."""
    timeline: tuple[TimelineRow, ...]
    """Runs of the last hours, the row with the newest run first; at most 500 runs."""
    counts: Mapping[str, int]
    """Runs asked for within the window, by status."""
    active: tuple[RunSummary, ...]
    """Runs that wait or run, newest first; at most 20."""
    failures: tuple[RunSummary, ...]
    """Runs that failed within the window and were not tried again with success, newest first; at most 10."""
    recent: tuple[RunSummary, ...]
    """The newest 10 runs."""
    upcoming: tuple[UpcomingTick, ...]
    """The next 10 ticks of schedules that are switched on."""
    asset_counts: Mapping[str, int]
    """Number of assets by status."""
    queue: QueueView
    """Runs that wait or run, in numbers."""
    problems: tuple[str, ...]
    """What is wrong now, each a sentence that says what to do; empty when all is well."""
    locations: int
    """Number of code locations."""
    jobs: int
    """Number of jobs."""
    schedules_on: int
    """Schedules that are switched on."""


_MAX_BARS = 500


def read_overview(conn: Connection, defs: Definitions, *, settings: Limits, hours: float = 12.0) -> OverviewView:
    """The last `hours` and what comes next."""
    now = database_now(conn)
    start = now - timedelta(hours=hours)
    r = tables.runs.c
    in_window = or_(r.created_at > start, r.status.not_in([str(status) for status in FINAL]))
    rows = conn.execute(summaries().where(in_window).order_by(r.created_at.desc(), r.run_id.desc()).limit(_MAX_BARS)).all()
    runs = [summary(row) for row in rows]
    counts = conn.execute(select(r.status, func.count()).where(r.created_at > start).group_by(r.status)).all()
    coming = upcoming(conn, defs, now=now)
    locations = read_locations(conn, defs, now=now)
    return OverviewView(
        now=now,
        window_start=start,
        timeline=_timeline(runs),
        counts=dict(counts),
        active=tuple(run for run in runs if not run.is_final)[:20],
        failures=_failures(runs),
        recent=list_runs(conn, RunFilter(), limit=10).items,
        upcoming=coming,
        asset_counts={str(status): count for status, count in count_statuses(conn, defs).items()},
        queue=read_queue(conn, run_limit=limits.read(conn, settings).max_concurrent_runs),
        problems=find_problems(locations, read_daemons(conn, now=now)),
        locations=len(locations),
        jobs=sum(len(found) for found in defs.jobs.values()),
        schedules_on=len(_switched_on(conn, defs)),
    )


def fitting_hours(conn: Connection, choices: Sequence[float]) -> float:
    """The shortest of some windows that holds all runs of the longest one, so that a quiet start is not a row of slivers.

    Args:
        choices: lengths in hours, ascending.
    """
    r, now = tables.runs.c, database_now(conn)
    oldest = conn.execute(select(func.min(r.created_at)).where(r.created_at > now - timedelta(hours=choices[-1]))).scalar()
    if oldest is None:
        return choices[-1]
    age = (now - oldest).total_seconds() / 3600
    return next((each for each in choices if age <= each), choices[-1])


def _timeline(runs: list[RunSummary]) -> tuple[TimelineRow, ...]:
    rows: dict[tuple[str, str, str | None], list[TimelineRun]] = {}
    for run in runs:
        bar = TimelineRun(
            run_id=run.run_id,
            status=run.status,
            partition=run.partition,
            started_at=run.started_at or run.created_at,
            ended_at=run.ended_at,
        )
        rows.setdefault((run.title, run.location, run.job), []).append(bar)
    return tuple(
        TimelineRow(name=name, job=job, location=location, runs=tuple(reversed(bars))) for (name, location, job), bars in rows.items()
    )


def _failures(runs: list[RunSummary]) -> tuple[RunSummary, ...]:
    """Failed runs that no newer success of the same thing has mended."""
    mended: set[tuple[str, str | None, tuple[str, ...], str | None]] = set()
    found = []
    for run in runs:
        what = (run.location, run.job, run.assets, run.partition)
        if run.status is RunStatus.SUCCESS:
            mended.add(what)
        elif run.status is RunStatus.FAILURE and what not in mended:
            found.append(run)
    return tuple(found[:10])


def _switched_on(conn: Connection, defs: Definitions) -> set[tuple[str, str]]:
    i = tables.instigators.c
    rows = conn.execute(select(i.location, i.name, i.switch, i.default_running).where(i.kind == "schedule", i.defined))
    known = {(place, name) for name, found in defs.schedules.items() for place, _ in found}
    on = {(row.location, row.name) for row in rows if (row.default_running if row.switch is None else row.switch)}
    return on & known
