"""One run with its steps."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from dagwright_shared.model.errors import ErrorInfo, NotFoundError, error_from_json
from dagwright_shared.model.ranges import format_range
from dagwright_shared.model.runs import ACTIVE, FINAL, RunStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads.steps import StepView, read_steps
from dagwright_webserver.reads.view import Moment, seconds_between, view


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


_runs = tables.runs.c
# Made once: who waits for a run asks these again and again, and making a statement takes longer than reading its row.
_RUN = select(tables.runs).where(_runs.run_id == bindparam("run_id"))
_STATE = select(_runs.status, _runs.last_seq).where(_runs.run_id == bindparam("run_id"))
_RELATED = (
    select(_runs.run_id, _runs.status, _runs.created_at, _runs.parent_run_id)
    .where(or_(_runs.root_run_id == bindparam("root"), _runs.run_id == bindparam("root")), _runs.run_id != bindparam("run_id"))
    .order_by(_runs.created_at)
    .limit(50)
)


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run id."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def covered(row: Row[Any]) -> str | None:
    """The partition of a row of runs, or its range, as people write it."""
    return format_range(tuple(row.partition), None if row.partition_end is None else tuple(row.partition_end))


def get_run(conn: Connection, run_id: str) -> RunView:
    """One run.

    Raises:
        NotFoundError: there is none with this id.
    """
    row = conn.execute(_RUN, {"run_id": run_id}).one_or_none() if is_run_id(run_id) else None
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
        partition=covered(row),
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


def run_state(conn: Connection, run_id: str) -> tuple[RunStatus, int] | None:
    """Status and number of the newest event: what a live page asks first."""
    row = conn.execute(_STATE, {"run_id": run_id}).one_or_none()
    return None if row is None else (RunStatus(row.status), row.last_seq)


def _related(conn: Connection, row: Row[Any]) -> tuple[RelatedRun, ...]:
    root = row.root_run_id or row.run_id
    found = []
    for other in conn.execute(_RELATED, {"root": root, "run_id": row.run_id}):
        relation = "sibling"
        if other.run_id == row.parent_run_id:
            relation = "parent"
        elif other.parent_run_id == row.run_id:
            relation = "child"
        elif other.run_id == root:
            relation = "root"
        found.append(RelatedRun(run_id=other.run_id, status=RunStatus(other.status), created_at=other.created_at, relation=relation))
    return tuple(found)


def active_statuses() -> Sequence[str]:
    """Statuses of runs that wait or run, as text."""
    return [str(status) for status in sorted({*ACTIVE, RunStatus.QUEUED})]
