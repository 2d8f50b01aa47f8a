"""Runs as user code sees them, and which of them it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any

from dagwright.authoring.instance_events import ASSET_JOB
from dagwright_shared.model import ranges
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.history import RunFilter
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, RunId, format_partition
from dagwright_shared.model.runs import Run, RunStatus


@dataclass(frozen=True, slots=True)
class RunsFilter:
    """Which runs; each argument narrows.

    Args:
        run_ids, job_name, statuses: one of these.
        tags: each tag has the value, or one of the values.
        created_after, created_before: moments; naive ones are taken for UTC.

    Example:
        >>> RunsFilter(job_name="nightly", statuses=[RunStatus.SUCCESS]).job_name
        'nightly'
    """

    run_ids: Sequence[str] | None = None
    job_name: str | None = None
    statuses: Sequence[RunStatus] | None = None
    tags: Mapping[str, str | Sequence[str]] | None = None
    snapshot_id: str | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    exclude_subruns: bool | None = None

    def to_model(self, *, limit: int | None, cursor: str | None, ascending: bool = False) -> RunFilter:
        """The filter as data.

        Raises:
            ValueError: an argument that dagwright cannot carry out.
        """
        for name in ("snapshot_id", "updated_after", "updated_before"):
            if getattr(self, name) is not None:
                raise ValueError(f"RunsFilter: {name}= is not supported by dagwright; filter by created_after= or statuses=")
        return RunFilter(
            run_ids=tuple(RunId(str(run_id)) for run_id in self.run_ids or ()),
            statuses=tuple(RunStatus(status) for status in self.statuses or ()),
            job_name=self.job_name,
            tags={name: (value,) if isinstance(value, str) else tuple(value) for name, value in (self.tags or {}).items()},
            created_after=aware(self.created_after),
            created_before=aware(self.created_before),
            before_run=RunId(cursor) if cursor is not None else None,
            limit=1000 if limit is None else limit,
            ascending=ascending,
        )


def aware(moment: datetime | float | None) -> datetime | None:
    """A moment in the ways that people give it: seconds since 1970, naive (UTC) or aware."""
    if moment is None:
        return None
    if isinstance(moment, (int, float)):
        return datetime.fromtimestamp(moment, UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run of the deployment: what was asked for, and how it went. `DagsterRun` is another name of it."""

    job_name: str
    run_id: str = ""
    run_config: Mapping[str, Any] = field(default_factory=dict)
    asset_selection: frozenset[AssetKey] | None = None
    asset_check_selection: frozenset[AssetCheckKey] | None = None
    step_keys_to_execute: Sequence[str] | None = None
    status: RunStatus = RunStatus.QUEUED
    tags: Mapping[str, str] = field(default_factory=dict)
    root_run_id: str | None = None
    parent_run_id: str | None = None
    execution_plan_snapshot_id: str | None = None
    job_snapshot_id: str | None = None
    remote_job_origin: Any = None
    job_code_origin: Any = None
    partition_key: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    error: ErrorInfo | None = None
    location: str | None = None
    requested_by: str | None = None
    """The schedule, sensor or backfill that asked for it."""

    @property
    def is_finished(self) -> bool:
        return self.status.is_final

    @property
    def is_success(self) -> bool:
        return self.status is RunStatus.SUCCESS

    @property
    def is_failure(self) -> bool:
        return self.status is RunStatus.FAILURE

    @property
    def is_canceled(self) -> bool:
        return self.status is RunStatus.CANCELED

    @property
    def is_failure_or_canceled(self) -> bool:
        return self.is_failure or self.is_canceled

    @property
    def is_cancelable(self) -> bool:
        """Whether it has not ended."""
        return not self.is_finished

    def get_root_run_id(self) -> str | None:
        return self.root_run_id

    def get_parent_run_id(self) -> str | None:
        return self.parent_run_id

    @property
    def is_resume_retry(self) -> bool:
        return self.parent_run_id is not None

    @property
    def asset_keys(self) -> frozenset[AssetKey]:
        return self.asset_selection or frozenset()

    def with_tags(self, tags: Mapping[str, str]) -> RunView:
        """The same run with other tags."""
        return replace(self, tags=tags)

    def with_status(self, status: RunStatus) -> RunView:
        """The same run in another status."""
        return replace(self, status=status)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run with its moments."""

    storage_id: str
    dagster_run: RunView
    create_timestamp: datetime
    update_timestamp: datetime
    start_time: float | None = None
    """Seconds since 1970."""
    end_time: float | None = None


def run_view(run: Run) -> RunView:
    """A run of the store, seen from user code."""
    tags = {**ranges.tags(None, run.partition, run.partition_end), **run.tags}
    return RunView(
        job_name=run.job_name or ASSET_JOB,
        run_id=run.run_id,
        run_config=run.config,
        asset_selection=frozenset(run.asset_keys) or None,
        asset_check_selection=frozenset(run.check_keys) or None,
        step_keys_to_execute=run.step_keys or None,
        status=run.status,
        tags=tags,
        root_run_id=run.root_run_id,
        parent_run_id=run.parent_run_id,
        partition_key=format_partition(run.partition) if run.partition_end is None else None,
        start_time=run.started_at.timestamp() if run.started_at else None,
        end_time=run.ended_at.timestamp() if run.ended_at else None,
        error=run.error,
        location=run.location,
        requested_by=run.trigger.name,
    )


def run_record(run: Run) -> RunRecord:
    """A run of the store with its moments, seen from user code."""
    return RunRecord(
        storage_id=run.run_id,
        dagster_run=run_view(run),
        create_timestamp=run.created_at,
        update_timestamp=run.ended_at or run.started_at or run.claimed_at or run.created_at,
        start_time=run.started_at.timestamp() if run.started_at else None,
        end_time=run.ended_at.timestamp() if run.ended_at else None,
    )
