"""The first page: what runs, what failed, what comes next, and whether all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import FINAL, RunStatus
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.store import limits, tables
from dagwright_webserver import looks
from dagwright_webserver.reads.asset_states import count_statuses
from dagwright_webserver.reads.automation import Running, UpcomingTick, running_schedules, upcoming
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.deployment import (
    DaemonView,
    DatabaseView,
    LocationView,
    QueueView,
    database_now,
    find_problems,
    read_daemons,
    read_database,
    read_locations,
    read_queue,
)
from dagwright_webserver.reads.limits import PoolView, read_pools
from dagwright_webserver.reads.run_list import RunFilter, RunSummary, list_runs, summaries_of
from dagwright_webserver.reads.timeline import DrawnRun, Lanes, TimelineView, read_timeline
from dagwright_webserver.reads.view import view


@view
class PartHealth:
    """A part of the deployment, and how it fares."""

    name: str
    """Daemons, Code locations, Queue, Pools or Database."""
    ok: bool
    """Whether nothing has to be done about it."""
    words: str
    """How it fares, in a sentence."""


@view
class OverviewView:
    """The first page."""

    timeline: TimelineView
    """Runs over time, and the ticks to come."""
    counts: Mapping[str, int]
    """Runs asked for within the window, by status; the newest 10,000 are counted."""
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
    freshness: Mapping[str, int]
    """Number of assets with a freshness policy by its state: PASS, WARN, FAIL or UNKNOWN."""
    parts: tuple[PartHealth, ...]
    """How the deployment itself fares."""
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


COUNTED = 10_000


def read_overview(
    conn: Connection,
    defs: Definitions,
    running: Running | None = None,
    *,
    settings: Limits,
    hours: float = 12.0,
    until: datetime | None = None,
    by: Lanes = Lanes.JOB,
) -> OverviewView:
    """The last `hours`, or those before a moment, and what comes next.

    Args:
        running: what is switched on, where it has been read.
    """
    now = database_now(conn)
    running = running_schedules(conn, defs) if running is None else running
    shown, runs = read_timeline(conn, defs, running, now=now, hours=hours, until=until, by=by)
    locations, daemons = read_locations(conn, defs, now=now), read_daemons(conn, now=now)
    queue = read_queue(conn, run_limit=limits.read(conn, settings).max_concurrent_runs)
    return OverviewView(
        timeline=shown,
        counts=_counts(conn, shown),
        active=summaries_of(conn, [run.run_id for run in runs if run.status not in FINAL][:20]),
        failures=summaries_of(conn, _failures(runs)),
        recent=list_runs(conn, RunFilter(), limit=10).items,
        upcoming=upcoming(running, now=now),
        asset_counts={str(status): count for status, count in count_statuses(conn, defs).items()},
        freshness=_freshness(conn),
        parts=(
            _daemons(daemons),
            _locations(locations),
            _queue(queue, now),
            _pools(read_pools(conn, settings)),
            _database(read_database(conn)),
        ),
        queue=queue,
        problems=find_problems(locations, daemons),
        locations=len(locations),
        jobs=sum(len(found) for found in defs.jobs.values()),
        schedules_on=len(running),
    )


def _counts(conn: Connection, shown: TimelineView) -> Mapping[str, int]:
    r = tables.runs.c
    in_time = select(r.status).where(r.created_at > shown.start, r.created_at <= shown.end).order_by(r.created_at.desc())
    newest = in_time.limit(COUNTED).subquery()
    rows = conn.execute(select(newest.c.status, func.count().label("runs")).group_by(newest.c.status))
    return {row.status: row.runs for row in rows}


def _freshness(conn: Connection) -> Mapping[str, int]:
    state = tables.freshness_states.c.state
    return {row.state: row.assets for row in conn.execute(select(state, func.count().label("assets")).group_by(state))}


def _daemons(daemons: Sequence[DaemonView]) -> PartHealth:
    alive = sum(daemon.alive for daemon in daemons)
    return PartHealth(name="Daemons", ok=alive > 0, words=f"{alive} running" if alive else "none is running")


def _locations(locations: Sequence[LocationView]) -> PartHealth:
    bad = [each.name for each in locations if each.state is LocationState.ERROR or not each.alive]
    words = f"{', '.join(bad[:3])}{' and others' if len(bad) > 3 else ''} in trouble" if bad else f"{len(locations)} loaded"
    return PartHealth(name="Code locations", ok=not bad and bool(locations), words=words if locations else "none has registered")


def _queue(queue: QueueView, now: datetime) -> PartHealth:
    active = sum(queue.active.values())
    words = f"{active:,} of {queue.limit:,} places taken" if queue.limit else f"{active:,} active"
    if queue.queued and queue.oldest_queued_at is not None:
        words += f", {queue.queued:,} waiting, the oldest for {looks.duration((now - queue.oldest_queued_at).total_seconds())}"
    return PartHealth(name="Queue", ok=not (queue.limit and active >= queue.limit and queue.queued), words=words)


def _pools(pools: Sequence[PoolView]) -> PartHealth:
    full = [pool.name for pool in pools if pool.slots is not None and pool.used >= pool.slots and pool.waiting]
    if full:
        return PartHealth(name="Pools", ok=False, words=f"{', '.join(full[:3])} full, with others waiting")
    return PartHealth(name="Pools", ok=True, words=f"{len(pools)}, none of them full" if pools else "none is used")


def _database(database: DatabaseView) -> PartHealth:
    size = looks.size(database.size_bytes)
    return PartHealth(name="Database", ok=True, words=f"Postgres {database.version}, {size}, {database.connections} connections")


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


def _failures(runs: Sequence[DrawnRun]) -> list[str]:
    """Failed runs that no newer success of the same thing has mended."""
    mended: set[tuple[str, str | None, tuple[str, ...], str | None]] = set()
    found = []
    for run in runs:
        what = (run.location, run.job, tuple(run.assets), run.covers)
        if run.status == RunStatus.SUCCESS:
            mended.add(what)
        elif run.status == RunStatus.FAILURE and what not in mended:
            found.append(run.run_id)
    return found[:10]
