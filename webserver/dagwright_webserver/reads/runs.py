"""Runs: the list and one run with its steps."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, String, Uuid, and_, cast, false, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from dagwright_shared.model.errors import ErrorInfo, NotFoundError, error_from_json
from dagwright_shared.model.ranges import format_range
from dagwright_shared.model.runs import ACTIVE, FINAL, RunStatus, StepStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.steps import StepView, read_steps
from dagwright_webserver.reads.view import Moment, seconds_between, view

MAX_LIST_ASSETS = 20


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
        if self.job:
            return self.job
        if not self.assets:
            return "checks"
        more = self.asset_count - 1
        return self.assets[0] + (f" and {more} more" if more else "")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def can_cancel(self) -> bool:
        return self.status in (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.STARTED)


@view
class RunListView:
    """One page of runs, newest first."""

    items: tuple[RunSummary, ...]
    """The runs."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class RelatedRun:
    """Another run of the same chain of re-executions."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    created_at: Moment
    """When it was asked for."""
    relation: str
    """parent, child, root or sibling."""


@view
class RunView:
    """One run, with everything but its events and output."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    location: str
    """The code location whose definitions it runs."""
    digest: str
    """Digest of the definitions that it was asked against."""
    job: str | None
    """Name of the job; null when assets were picked freely."""
    assets: tuple[str, ...]
    """The assets that it materializes."""
    checks: tuple[str, ...]
    """The checks that it evaluates, as `asset/key:name`."""
    step_keys: tuple[str, ...]
    """The steps that were asked for; empty means all."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    config: Mapping[str, Any]
    """Run config, as it was given."""
    tags: Mapping[str, str]
    """Free labels."""
    trigger: str
    """What asked for it: user, api, cli, schedule, sensor, automation, backfill or retry."""
    trigger_name: str | None
    """Name of the schedule, sensor or user."""
    tick_id: int | None
    """The tick that asked for it."""
    priority: int
    """Higher starts first."""
    run_key: str | None
    """Unique key that kept it from being made twice."""
    created_at: Moment
    """When it was asked for."""
    claimed_at: Moment | None
    """When the queue handed it to a code server."""
    started_at: Moment | None
    """When its worker reported."""
    ended_at: Moment | None
    """When it reached its final status."""
    not_before: Moment | None
    """It stays queued until then."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    queued_seconds: float | None
    """From creation to start."""
    steps: tuple[StepView, ...]
    """Its steps in the order of the plan; empty until its worker has planned."""
    step_counts: Mapping[str, int]
    """Number of steps by status."""
    error: ErrorInfo | None
    """Why the run as a whole failed; steps carry their own errors."""
    status_reason: str | None
    """Why it waits, was requeued or failed, in words."""
    parent_run_id: str | None
    """The run that this one repeats."""
    root_run_id: str | None
    """The first run of the chain of re-executions."""
    related: tuple[RelatedRun, ...]
    """Other runs of the same chain, oldest first."""
    retry_number: int
    """0 for a first attempt, 1 for its first retry."""
    inherited: Mapping[str, str]
    """Steps that are not executed again, and the run whose outputs stand in for them."""
    epoch: int
    """How many times it has been claimed."""
    server_id: str | None
    """The code server that has, or had, its worker."""
    last_seq: int
    """Number of its newest event."""

    @property
    def title(self) -> str:
        """What it runs, in a few words."""
        if self.job:
            return self.job
        if not self.assets:
            return "checks"
        more = len(self.assets) - 1
        return self.assets[0] + (f" and {more} more" if more else "")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def can_cancel(self) -> bool:
        return self.status in (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.STARTED)

    @property
    def can_retry_from_failure(self) -> bool:
        return self.status in (RunStatus.FAILURE, RunStatus.CANCELED) and bool(self.steps)


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
    text: str | None = None
    """Matches the start of the id, or a part of the job's or an asset's name."""
    root_run_id: str | None = None
    backfill_id: str | None = None
    """A UUID; anything else finds nothing."""


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


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run id."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def list_runs(conn: Connection, wanted: RunFilter | None = None, *, limit: int = 50, cursor: str | None = None) -> RunListView:
    """The newest runs that fit a filter."""
    newest = (_runs.created_at.desc(), _runs.run_id.desc())
    query = _filtered(select(*_SUMMARY), wanted or RunFilter()).order_by(*newest).limit(limit + 1)
    if cursor is not None:
        micros, run_id = cursors.decode("runs", cursor, int, str)
        if not is_run_id(str(run_id)):
            raise cursors.bad_cursor(cursor)
        query = query.where(
            tuple_(_runs.created_at, _runs.run_id) < tuple_(cursors.to_moment(micros, cursor), cast(str(run_id), Uuid(as_uuid=False)))
        )
    rows = conn.execute(query).all()
    shown = rows[:limit]
    more = cursors.encode("runs", cursors.from_moment(shown[-1].created_at), shown[-1].run_id) if len(rows) > limit else None
    return RunListView(items=tuple(summary(row) for row in shown), next_cursor=more)


def count_by_status(conn: Connection, wanted: RunFilter | None = None, *, cap: int = 10_000) -> Mapping[str, int]:
    """How many of the newest `cap` runs that fit a filter are in each status."""
    inner = _filtered(select(_runs.status, _runs.created_at), wanted or RunFilter()).order_by(_runs.created_at.desc()).limit(cap).subquery()
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
        partition=_covered(row),
        trigger=row.trigger_kind,
        trigger_name=row.trigger_name,
        tags=row.tags,
        priority=row.priority,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=seconds_between(row.started_at, row.ended_at),
        error_line=_first_line(row.error_class, row.error_message),
        status_reason=row.status_reason,
        parent_run_id=row.parent_run_id,
        retry_number=row.retry_number,
    )


def _covered(row: Row[Any]) -> str | None:
    return format_range(tuple(row.partition), None if row.partition_end is None else tuple(row.partition_end))


def summaries() -> Select[Any]:
    """A select of what `summary` reads; callers add conditions and order."""
    return select(*_SUMMARY)


def get_run(conn: Connection, run_id: str) -> RunView:
    """One run.

    Raises:
        NotFoundError: there is none with this id.
    """
    row = conn.execute(select(tables.runs).where(_runs.run_id == run_id)).one_or_none() if is_run_id(run_id) else None
    if row is None:
        raise NotFoundError("run", run_id)
    return _run_view(row, read_steps(conn, run_id), _related(conn, row))


def _run_view(row: Row[Any], steps: tuple[StepView, ...], related: tuple[RelatedRun, ...]) -> RunView:
    return RunView(
        run_id=row.run_id,
        status=RunStatus(row.status),
        location=row.location,
        digest=row.digest,
        job=row.job_name,
        assets=tuple(row.asset_keys),
        checks=tuple(row.check_keys),
        step_keys=tuple(row.step_keys),
        partition=_covered(row),
        config=row.config,
        tags=row.tags,
        trigger=row.trigger_kind,
        trigger_name=row.trigger_name,
        tick_id=row.tick_id,
        priority=row.priority,
        run_key=row.run_key,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        not_before=row.not_before,
        duration_seconds=seconds_between(row.started_at, row.ended_at),
        queued_seconds=seconds_between(row.created_at, row.started_at),
        steps=steps,
        step_counts=Counter(str(step.status) for step in steps),
        error=error_from_json(row.error) if row.error else None,
        status_reason=row.status_reason,
        parent_run_id=row.parent_run_id,
        root_run_id=row.root_run_id,
        related=related,
        retry_number=row.retry_number,
        inherited=row.inherited,
        epoch=row.epoch,
        server_id=row.server_id,
        last_seq=row.last_seq,
    )


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
    return {row.run_id: f"{row.step_key}: {_first_line(row.class_name, row.message) or 'failed'}" for row in conn.execute(query)}


def run_state(conn: Connection, run_id: str) -> tuple[RunStatus, int] | None:
    """Status and number of the newest event: what a live page asks first."""
    row = conn.execute(select(_runs.status, _runs.last_seq).where(_runs.run_id == run_id)).one_or_none()
    return None if row is None else (RunStatus(row.status), row.last_seq)


def _related(conn: Connection, row: Row[Any]) -> tuple[RelatedRun, ...]:
    root = row.root_run_id or row.run_id
    chain = select(_runs.run_id, _runs.status, _runs.created_at, _runs.parent_run_id).where(
        or_(_runs.root_run_id == root, _runs.run_id == root), _runs.run_id != row.run_id
    )
    found = []
    for other in conn.execute(chain.order_by(_runs.created_at).limit(50)):
        relation = "sibling"
        if other.run_id == row.parent_run_id:
            relation = "parent"
        elif other.parent_run_id == row.run_id:
            relation = "child"
        elif other.run_id == root:
            relation = "root"
        found.append(RelatedRun(run_id=other.run_id, status=RunStatus(other.status), created_at=other.created_at, relation=relation))
    return tuple(found)


def _filtered(query: Select[Any], wanted: RunFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(_runs.status.in_([str(status) for status in wanted.statuses]))
    for column, value in (
        (_runs.job_name, wanted.job),
        (_runs.location, wanted.location),
        (_runs.trigger_kind, wanted.trigger),
        (_runs.trigger_name, wanted.trigger_name),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.partition is not None:
        conditions.append(_runs.partition == wanted.partition.split("|"))
    if wanted.tags:
        conditions.append(_runs.tags.contains(dict(wanted.tags)))
    if wanted.created_before is not None:
        conditions.append(_runs.created_at < wanted.created_before)
    if wanted.created_after is not None:
        conditions.append(_runs.created_at > wanted.created_after)
    if wanted.root_run_id is not None:
        conditions.append(or_(_runs.root_run_id == wanted.root_run_id, _runs.run_id == wanted.root_run_id))
    if wanted.backfill_id is not None:
        conditions.append(_runs.backfill_id == wanted.backfill_id if is_run_id(wanted.backfill_id) else false())
    if wanted.asset is not None:
        ids = select(tables.assets.c.asset_id).where(tables.assets.c.key == wanted.asset)
        of_asset = select(tables.run_assets.c.run_id).where(tables.run_assets.c.asset_id.in_(ids))
        conditions.append(_runs.run_id.in_(of_asset))
    if wanted.text:
        conditions.append(_matches(wanted.text))
    return query.where(and_(*conditions)) if conditions else query


def _matches(text: str) -> ColumnElement[bool]:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    names = func.array_to_string(_runs.asset_keys, " ")
    return or_(
        cast(_runs.run_id, String).like(f"{escaped.lower()}%"),
        _runs.job_name.ilike(f"%{escaped}%"),
        names.ilike(f"%{escaped}%"),
    )


def _first_line(class_name: str | None, message: str | None) -> str | None:
    if class_name is None:
        return None
    first = (message or "").strip().split("\n", 1)[0]
    return f"{class_name}: {first}" if first else class_name


def active_statuses() -> Sequence[str]:
    """Statuses of runs that wait or run, as text."""
    return [str(status) for status in sorted({*ACTIVE, RunStatus.QUEUED})]
