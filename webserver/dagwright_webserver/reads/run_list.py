"""Lists of runs: a row for each, and what they are filtered by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Uuid, and_, cast, false, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from dagwright_shared.model.backfills import BackfillStatus
from dagwright_shared.model.runs import FINAL, RunStatus, StepStatus
from dagwright_shared.store import backfills as store_backfills
from dagwright_shared.store import tables
from dagwright_webserver.reads import backfills, cursors, run_search
from dagwright_webserver.reads.backfills import BackfillSummary
from dagwright_webserver.reads.runs import covered, is_run_id
from dagwright_webserver.reads.view import Moment, seconds_between, view

MAX_LIST_ASSETS = 20
COUNTED = 1_000
"""So many runs are counted by status; of more, the page says how many there are at least."""


@view
class RunSummary:
    """A run as a row of a list."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    location: str
    """The code location whose definitions it runs."""
    job: str | None
    """Name of the job; null when assets were picked freely."""
    assets: tuple[str, ...]
    """The first 20 assets that it materializes."""
    asset_count: int
    """How many assets it materializes."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    trigger: str
    """What asked for it: user, api, cli, schedule, sensor, automation, backfill or retry."""
    trigger_name: str | None
    """Name of the schedule, sensor or user."""
    tags: Mapping[str, str]
    """Free labels."""
    priority: int
    """Higher starts first."""
    created_at: Moment
    """When it was asked for."""
    started_at: Moment | None
    """When its worker reported."""
    ended_at: Moment | None
    """When it reached its final status."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    error_line: str | None
    """First line of its error, where it failed."""
    status_reason: str | None
    """Why it waits, was requeued or failed, in words."""
    parent_run_id: str | None
    """The run that this one repeats."""
    retry_number: int
    """0 for a first attempt, 1 for its first retry."""

    @property
    def title(self) -> str:
        """What it runs, in a few words."""
        return title_of(self.job, self.assets, self.asset_count)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def can_cancel(self) -> bool:
        return self.status in (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.STARTED)


def title_of(job: str | None, assets: Sequence[str], count: int) -> str:
    """What a run makes, in a few words.

    Args:
        assets: at least the first one.
        count: how many they are.
    """
    if job or not assets:
        return job or "checks"
    return assets[0] + (f" and {count - 1} more" if count > 1 else "")


@view
class RunListView:
    """One page of runs, newest first."""

    items: tuple[RunSummary, ...]
    """The runs."""
    backfills: tuple[BackfillSummary, ...]
    """Where the list is `grouped`: the backfills of the same time, newest first, in place of their runs. They count as rows of the page."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs a list shows; everything given must hold."""

    statuses: tuple[RunStatus, ...] = ()
    job: str | None = None
    asset: str | None = None
    location: str | None = None
    trigger: str | None = None
    trigger_name: str | None = None
    partition: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_before: datetime | None = None
    created_after: datetime | None = None
    ended_before: datetime | None = None
    ended_after: datetime | None = None
    text: str | None = None
    """Matches the start of the id, or a part of the job's or an asset's name."""
    root_run_id: str | None = None
    backfill_id: str | None = None
    """A UUID; anything else finds nothing."""
    outside_backfills: bool = False
    """Only runs that no backfill asked for."""

    @property
    def fits_backfills(self) -> bool:
        """Whether backfills can be found by it, too: everything else is about single runs."""
        single = (self.asset, self.trigger, self.trigger_name, self.partition, self.text, self.root_run_id, self.backfill_id)
        return not any(single) and self.ended_before is None and self.ended_after is None


_runs = tables.runs.c
_SUMMARY = (
    _runs.run_id,
    _runs.status,
    _runs.location,
    _runs.job_name,
    _runs.asset_keys[1:MAX_LIST_ASSETS].label("asset_keys"),
    func.cardinality(_runs.asset_keys).label("asset_count"),
    _runs.partition,
    _runs.partition_end,
    _runs.trigger_kind,
    _runs.trigger_name,
    _runs.tags,
    _runs.priority,
    _runs.created_at,
    _runs.started_at,
    _runs.ended_at,
    _runs.error["class_name"].astext.label("error_class"),
    func.left(_runs.error["message"].astext, 500).label("error_message"),
    _runs.status_reason,
    _runs.parent_run_id,
    _runs.retry_number,
)


def list_runs(
    conn: Connection, wanted: RunFilter | None = None, *, limit: int = 50, cursor: str | None = None, grouped: bool = False
) -> RunListView:
    """The newest runs that fit a filter.

    Args:
        grouped: leave out the runs of backfills, and tell of the backfills in their place.
    """
    wanted = wanted or RunFilter()
    before = None if cursor is None else _place(cursor)
    shown = replace(wanted, outside_backfills=grouped or wanted.outside_backfills)
    newest = (_runs.created_at.desc(), _runs.run_id.desc())
    query = _filtered(conn, select(*_SUMMARY), shown).order_by(*newest).limit(limit + 1)
    if before is not None:
        query = query.where(tuple_(_runs.created_at, _runs.run_id) < tuple_(before[0], cast(before[1], Uuid(as_uuid=False))))
    runs = [summary(row) for row in conn.execute(query)]
    groups = _backfills(conn, wanted, limit + 1, before) if grouped and wanted.fits_backfills else []
    rows = _by_time([*runs, *groups])
    page = rows[:limit]
    more = cursors.encode("runs", cursors.from_moment(page[-1].created_at), _order(page[-1])[1]) if len(rows) > limit else None
    return RunListView(
        items=tuple(row for row in page if isinstance(row, RunSummary)),
        backfills=tuple(row for row in page if isinstance(row, BackfillSummary)),
        next_cursor=more,
    )


def in_order(page: RunListView) -> list[RunSummary | BackfillSummary]:
    """Runs and backfills of a page as they follow each other."""
    return _by_time([*page.items, *page.backfills])


def _by_time(rows: Iterable[RunSummary | BackfillSummary]) -> list[RunSummary | BackfillSummary]:
    return sorted(rows, key=_order, reverse=True)


def _order(row: RunSummary | BackfillSummary) -> tuple[datetime, str]:
    return row.created_at, row.run_id if isinstance(row, RunSummary) else row.backfill_id


def _place(cursor: str) -> tuple[datetime, str]:
    """Where a page begins: a moment, and the id of a run or of a backfill."""
    micros, key = cursors.decode("runs", cursor, int, str)
    if not is_run_id(str(key)):
        raise cursors.bad_cursor(cursor)
    return cursors.to_moment(micros, cursor), str(key)


def _backfills(conn: Connection, wanted: RunFilter, limit: int, before: tuple[datetime, str] | None) -> list[BackfillSummary]:
    statuses = frozenset[BackfillStatus]().union(*(_STAGES[status] for status in wanted.statuses))
    page = store_backfills.list_page(
        conn,
        statuses=statuses,
        job_name=wanted.job,
        location=wanted.location,
        tags=wanted.tags,
        created_after=wanted.created_after,
        created_before=wanted.created_before,
        before=before,
        limit=limit,
    )
    return [backfills.summary(found) for found in page.items]


_STAGES: Mapping[RunStatus, frozenset[BackfillStatus]] = {
    RunStatus.QUEUED: frozenset({BackfillStatus.REQUESTED}),
    RunStatus.STARTING: frozenset({BackfillStatus.IN_PROGRESS}),
    RunStatus.STARTED: frozenset({BackfillStatus.IN_PROGRESS}),
    RunStatus.CANCELING: frozenset({BackfillStatus.CANCELING}),
    RunStatus.CANCELED: frozenset({BackfillStatus.CANCELED}),
    RunStatus.SUCCESS: frozenset({BackfillStatus.COMPLETED}),
    RunStatus.FAILURE: frozenset({BackfillStatus.FAILED}),
}
"""Where a backfill is when its runs are there."""


def count_by_status(conn: Connection, wanted: RunFilter | None = None, *, cap: int = COUNTED) -> Mapping[str, int]:
    """How many of the newest `cap` runs that fit a filter are in each status; where they are as many as that, there may be more."""
    inner = (
        _filtered(conn, select(_runs.status, _runs.created_at), wanted or RunFilter())
        .order_by(_runs.created_at.desc())
        .limit(cap)
        .subquery()
    )
    rows = conn.execute(select(inner.c.status, func.count()).group_by(inner.c.status)).all()
    return dict(rows)


def summary(row: Row[Any]) -> RunSummary:
    """A row of `summaries()` as a view."""
    return RunSummary(
        run_id=row.run_id,
        status=RunStatus(row.status),
        location=row.location,
        job=row.job_name,
        assets=tuple(row.asset_keys or ()),
        asset_count=row.asset_count or 0,
        partition=covered(row),
        trigger=row.trigger_kind,
        trigger_name=row.trigger_name,
        tags=row.tags,
        priority=row.priority,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=seconds_between(row.started_at, row.ended_at),
        error_line=first_line(row.error_class, row.error_message),
        status_reason=row.status_reason,
        parent_run_id=row.parent_run_id,
        retry_number=row.retry_number,
    )


def summaries_of(conn: Connection, run_ids: Sequence[str]) -> tuple[RunSummary, ...]:
    """Some runs, newest first."""
    if not run_ids:
        return ()
    query = summaries().where(_runs.run_id.in_(run_ids)).order_by(_runs.created_at.desc(), _runs.run_id.desc())
    return tuple(summary(row) for row in conn.execute(query))


def summaries() -> Select[Any]:
    """A select of what `summary` reads; callers add conditions and order."""
    return select(*_SUMMARY)


def step_errors(conn: Connection, run_ids: Sequence[str]) -> Mapping[str, str]:
    """Run id to the first line of the error of its first failed step, for runs that failed because a step did."""
    if not run_ids:
        return {}
    s = tables.steps.c
    query = (
        select(
            s.run_id,
            s.step_key,
            s.error["class_name"].astext.label("class_name"),
            func.left(s.error["message"].astext, 500).label("message"),
        )
        .ext(distinct_on(s.run_id))
        .where(s.run_id.in_(run_ids), s.status == str(StepStatus.FAILURE))
        .order_by(s.run_id, s.ended_at, s.ordinal)
    )
    return {row.run_id: f"{row.step_key}: {first_line(row.class_name, row.message) or 'failed'}" for row in conn.execute(query)}


def _filtered(conn: Connection, query: Select[Any], wanted: RunFilter) -> Select[Any]:
    equal = (
        (_runs.job_name, wanted.job),
        (_runs.location, wanted.location),
        (_runs.trigger_kind, wanted.trigger),
        (_runs.trigger_name, wanted.trigger_name),
        (_runs.partition, None if wanted.partition is None else wanted.partition.split("|")),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value is not None]
    conditions += _in_time(wanted)
    if wanted.partition:
        conditions.append(func.cardinality(_runs.partition) > 0)
    if wanted.statuses:
        conditions.append(_runs.status.in_([str(status) for status in wanted.statuses]))
    if wanted.tags:
        conditions.append(_runs.tags.contains(dict(wanted.tags)))
    if wanted.outside_backfills:
        conditions.append(_runs.backfill_id.is_(None))
    if wanted.root_run_id is not None:
        conditions.append(or_(_runs.root_run_id == wanted.root_run_id, _runs.run_id == wanted.root_run_id))
    if wanted.backfill_id is not None:
        conditions.append(_runs.backfill_id == wanted.backfill_id if is_run_id(wanted.backfill_id) else false())
    if wanted.asset is not None:
        ids = select(tables.assets.c.asset_id).where(tables.assets.c.key == wanted.asset)
        of_asset = select(tables.run_assets.c.run_id).where(tables.run_assets.c.asset_id.in_(ids))
        conditions.append(_runs.run_id.in_(of_asset))
    if wanted.text:
        conditions.append(run_search.fits(conn, wanted.text))
    return query.where(and_(*conditions)) if conditions else query


def _in_time(wanted: RunFilter) -> Iterable[ColumnElement[bool]]:
    for column, before, after in (
        (_runs.created_at, wanted.created_before, wanted.created_after),
        (_runs.ended_at, wanted.ended_before, wanted.ended_after),
    ):
        if before is not None:
            yield column < before
            if column is not _runs.created_at:  # which no run ends before; and there is an index of it
                yield _runs.created_at < before
        if after is not None:
            yield column > after


def first_line(class_name: str | None, message: str | None) -> str | None:
    """An error in a line: its class, and the first line of its message."""
    if class_name is None:
        return None
    first = (message or "").strip().split("\n", 1)[0]
    return f"{class_name}: {first}" if first else class_name
