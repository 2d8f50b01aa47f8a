"""Backfills: the list, one of them with the progress of each part, and what one would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.backfills import JOB, Backfill, BackfillStatus, locations_of, sources
from dagwright_shared.model.errors import ErrorInfo, NotFoundError
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import backfill_runs
from dagwright_shared.store import backfills as store
from dagwright_webserver.reads.view import Moment, view

MAX_LIST_ASSETS = 20


@view
class BackfillSummary:
    """A backfill as a row of a list. Partitions are counted once for each asset."""

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """Where it is in its life."""
    title: str
    """Its name, or what it makes in a few words."""
    location: str
    """The code location whose definitions it makes."""
    job: str | None
    """Name of the job; null for a backfill of assets."""
    assets: tuple[str, ...]
    """The first 20 assets that it makes."""
    asset_count: int
    """How many assets it makes."""
    trigger: str
    """What asked for it: user, api, cli, sensor, automation, backfill (a retry of another) or retry."""
    trigger_name: str | None
    """Name of the sensor or user."""
    targeted: int
    """Partitions that it is to make."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""
    created_at: Moment
    """When it was asked for."""
    ended_at: Moment | None
    """When it ended."""

    @property
    def is_final(self) -> bool:
        return self.status.is_final


@view
class PartProgress:
    """How far an asset of a backfill, or its job, is."""

    name: str
    """Key of the asset, or name of the job."""
    targeted: int
    """Partitions that are to be made; 1 for an unpartitioned asset."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""


@view
class BackfillView:
    """A backfill, with the progress of each part."""

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """Where it is in its life."""
    title: str
    """Its name, or what it makes in a few words."""
    description: str | None
    """What it is for, in Markdown."""
    location: str
    """The code location whose definitions it makes."""
    locations: tuple[str, ...]
    """All code locations of which it makes assets, that one first."""
    job: str | None
    """Name of the job; null for a backfill of assets."""
    trigger: str
    """What asked for it: user, api, cli, sensor, automation, backfill (a retry of another) or retry."""
    trigger_name: str | None
    """Name of the sensor or user."""
    tags: Mapping[str, str]
    """Tags of its runs."""
    config: Mapping[str, Any]
    """Run config of its runs."""
    attempt: int
    """How often it was begun: once, and again by each resume."""
    parent_id: str | None
    """The backfill of which it makes what that one did not."""
    retried_by: tuple[str, ...]
    """The backfills that make what this one did not."""
    targeted: int
    """Partitions that it is to make, counted once for each asset."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""
    parts: tuple[PartProgress, ...]
    """Each asset, or the job."""
    runs: Mapping[str, int]
    """How many of its runs are in each status."""
    error: ErrorInfo | None
    """Why it could not go on."""
    can_cancel: bool
    """Whether it is under way."""
    can_resume: bool
    """Whether what it did not make can be asked for again."""
    created_at: Moment
    """When it was asked for."""
    ended_at: Moment | None
    """When it ended."""


@view
class BackfillListView:
    """One page of backfills, newest first."""

    items: tuple[BackfillSummary, ...]
    """The backfills."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class PreviewedPart:
    """What a backfill would make of an asset, or of its job."""

    name: str
    """Key of the asset, or name of the job."""
    partitions: int
    """How many partitions; 1 for an unpartitioned asset."""
    runs: int
    """Runs that would make them; a run may make several assets."""
    first: tuple[str, ...]
    """Keys of the first 10 partitions."""


@view
class PreviewedRun:
    """A run that a backfill would ask for."""

    assets: tuple[str, ...]
    """What it would make; empty for a job."""
    partition: str | None
    """Its partition, or the first one of a range."""
    partition_end: str | None
    """The last partition of its range; null when it is of one."""


@view
class BackfillPreview:
    """What a backfill would take, if every run succeeded."""

    targeted: int
    """Partitions, counted once for each asset."""
    runs: int
    """Runs; see `complete`."""
    waves: int
    """How often runs have to be waited for before others can follow, plus one."""
    complete: bool
    """Whether all runs were counted; at most 20,000 are."""
    parts: tuple[PreviewedPart, ...]
    """Each asset, or the job."""
    first: tuple[PreviewedRun, ...]
    """The first 20 runs."""


def list_backfills(
    conn: Connection, *, statuses: Sequence[BackfillStatus] = (), limit: int = 50, cursor: str | None = None
) -> BackfillListView:
    """Backfills, newest first."""
    page = store.list_page(conn, statuses=statuses, limit=limit, cursor=cursor)
    return BackfillListView(items=tuple(map(summary, page.items)), next_cursor=page.next_cursor)


def get_backfill(conn: Connection, backfill_id: str) -> BackfillView:
    """One backfill.

    Raises:
        NotFoundError: there is none.
    """
    found = store.get(conn, backfill_id)
    if found is None:
        raise NotFoundError("backfill", backfill_id)
    parts = tuple(_part(found, name, subset) for name, subset in found.target.parts.items())
    counts = backfill_runs.counts(conn, backfill_id)
    return BackfillView(
        backfill_id=found.backfill_id,
        status=found.status,
        title=_title(found),
        description=found.description,
        location=found.location,
        locations=locations_of(found),
        job=found.job_name,
        trigger=str(found.trigger.kind),
        trigger_name=found.trigger.name,
        tags=found.tags,
        config=found.config,
        attempt=found.attempt,
        parent_id=found.parent_id,
        retried_by=tuple(store.children(conn, backfill_id)),
        parts=parts,
        runs={str(status): count for status, count in counts.items()},
        error=found.error,
        can_cancel=found.status in sources(BackfillStatus.CANCELING),
        can_resume=found.status in sources(BackfillStatus.REQUESTED),
        created_at=found.created_at,
        ended_at=found.ended_at,
        **_sums(parts),
    )


def summary(found: Backfill) -> BackfillSummary:
    """A backfill as a row of a list."""
    parts = tuple(_part(found, name, subset) for name, subset in found.target.parts.items())
    return BackfillSummary(
        backfill_id=found.backfill_id,
        status=found.status,
        title=_title(found),
        location=found.location,
        job=found.job_name,
        assets=tuple(key.to_user_string() for key in found.asset_keys[:MAX_LIST_ASSETS]),
        asset_count=len(found.asset_keys),
        trigger=str(found.trigger.kind),
        trigger_name=found.trigger.name,
        created_at=found.created_at,
        ended_at=found.ended_at,
        **_sums(parts),
    )


def _sums(parts: Sequence[PartProgress]) -> dict[str, Any]:
    names = ("targeted", "enqueued", "in_progress", "succeeded", "failed", "canceled", "skipped")
    return {name: sum(getattr(part, name) for part in parts) for name in names}


def _part(found: Backfill, name: str, target: Subset) -> PartProgress:
    part = found.progress.part(name)
    return PartProgress(
        name=found.job_name or name if name == JOB else name,
        targeted=len(target),
        enqueued=len(part.enqueued),
        in_progress=len(part.in_progress),
        succeeded=len(part.succeeded),
        failed=len(part.failed),
        canceled=len(part.canceled),
        skipped=len(part.skipped),
    )


def _title(found: Backfill) -> str:
    if found.title or found.job_name:
        return found.title or found.job_name or ""
    if not found.asset_keys:
        return "nothing"
    more = len(found.asset_keys) - 1
    return found.asset_keys[0].to_user_string() + (f" and {more} more" if more > 0 else "")
