"""Runs and their steps: the one door into execution, claims, leases and guarded transitions.

Invariant: each UPDATE of a status names the statuses that it may leave, from the transition table in model/runs.py, and all
but a claim and a person's cancellation name the epoch.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, func, select, text

from dagwright_shared.model.errors import ConflictError, ErrorInfo, NotFoundError, error_from_json
from dagwright_shared.model.events import AssetFailed, EventBatch, Payload, RunCanceled, RunEvent, RunFailed, RunSucceeded
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, Digest, LocationName, RunId, StepKey, asset_keys
from dagwright_shared.model.runs import (
    ACTIVE,
    BackfillPart,
    LaunchSpec,
    NewRun,
    Run,
    RunStatus,
    StepRecord,
    StepStatus,
    Trigger,
    TriggerKind,
    sources,
)
from dagwright_shared.store import events, json_rows, listen, pools, tables
from dagwright_shared.store import steps as step_rows
from dagwright_shared.store.asset_ids import AssetIds

_runs = tables.runs
_OPEN_STEPS = (StepStatus.STARTED, StepStatus.RETRYING)


def enqueue(conn: Connection, runs: Sequence[NewRun], *, assets: AssetIds | None = None, tell: Collection[str] = ()) -> list[RunId]:
    """Insert queued runs, in the order given; one whose id or run key exists already is passed over.

    Args:
        tell: topics to notify beside the queue's when any was inserted.

    Returns:
        The ids that were inserted.
    """
    if not runs:
        return []
    inserted = {RunId(str(found)) for found in conn.execute(_ENQUEUE, {"rows": json_rows.dumps([_new_row(run) for run in runs])}).scalars()}
    made = [run for run in {run.run_id: run for run in runs}.values() if run.run_id in inserted]
    pairs = {(run.location, key.to_user_string()) for run in made for key in run.asset_keys}
    if pairs:
        ids = (assets or AssetIds()).resolve(conn, pairs)
        planned = [
            {"run_id": run.run_id, "asset_id": ids[(run.location, key.to_user_string())], "partition": run.partition}
            for run in made
            for key in dict.fromkeys(run.asset_keys)
        ]
        conn.execute(_PLAN_ASSETS, {"rows": json_rows.dumps(planned)})
    if made:
        listen.notify(conn, "queue", *tell)
    return [run.run_id for run in made]


def get(conn: Connection, run_id: str) -> Run | None:
    """The run, or None; text that is no run id is no run."""
    if not is_run_id(run_id):
        return None
    row = conn.execute(select(_runs).where(_runs.c.run_id == run_id)).one_or_none()
    return None if row is None else from_row(row)


def get_many(conn: Connection, run_ids: Collection[RunId]) -> list[Run]:
    """The runs that exist among these, oldest first."""
    rows = conn.execute(select(_runs).where(_runs.c.run_id.in_(list(run_ids))).order_by(_runs.c.created_at, _runs.c.run_id))
    return [from_row(row) for row in rows]


def claim(
    conn: Connection,
    *,
    limit: int,
    lease_seconds: float,
    background: int | None = None,
    locations: Collection[str] | None = None,
    run_ids: Collection[RunId] | None = None,
) -> list[Run]:
    """Take queued runs that may start now, in the order of `decide.queue`; none whose backfill is being canceled.

    No two callers get the same run.

    Args:
        conn: a connection in a transaction.
        limit: at most so many.
        lease_seconds: for how long the caller vouches for them without renewing it.
        background: of these, at most so many runs of backfills and automation; None means any number.
        locations: only runs of these; None means all.
        run_ids: only of these; None means any.
    """
    parameters: dict[str, Any] = {"limit": limit, "lease": lease_seconds, "background": limit if background is None else background}
    condition = ""
    if locations is not None:
        condition, parameters["locations"] = _OF_LOCATIONS, [*locations]
    if run_ids is not None:
        condition, parameters["ids"] = condition + _OF_IDS, [*run_ids]
    claimed = [from_row(row) for row in conn.execute(_claim_statement(condition), parameters)]
    claimed.sort(key=lambda run: (run.background, -run.priority, run.created_at, run.run_id))
    listen.notify_all(conn, (f"runs:{run.run_id}" for run in claimed))
    return claimed


def requeue(
    conn: Connection,
    run_id: RunId,
    epoch: int,
    *,
    not_before: datetime | None,
    reason: str,
    statuses: Collection[RunStatus] = sources(RunStatus.QUEUED),
    resume: bool = False,
) -> bool:
    """Put a claimed run back: it could not be launched, or its worker was lost. False: a newer attempt owns it, or it has ended.

    Args:
        statuses: only from these; a launch that did not answer may have led to a worker all the same.
        resume: the next worker goes on from what is done.
    """
    allowed = _names(sources(RunStatus.QUEUED).intersection(statuses))
    arguments = {
        "run_id": run_id,
        "epoch": epoch,
        "not_before": not_before,
        "reason": json_rows.clean(reason),
        "statuses": allowed,
        "resumes": int(resume),
    }
    changed = conn.execute(_REQUEUE, arguments).rowcount
    if changed:
        conn.execute(_REOPEN_STEPS, {"run_id": run_id})
        pools.release_runs(conn, [run_id])
        listen.notify(conn, "queue", f"runs:{run_id}")
    return bool(changed)


def fail(conn: Connection, run_id: RunId, epoch: int, *, error: ErrorInfo | None, reason: str) -> bool:
    """End a run as failed in place of its worker, which is fenced off from here on. False: a newer attempt owns it, or it has ended."""
    fenced = _fence(conn, run_id, epoch, RunStatus.FAILURE)
    if fenced is None:
        return False
    missing = conn.execute(_UNMATERIALIZED, {"run_id": run_id}).scalars().all()
    stopped = conn.execute(_OPEN_STEP_KEYS, {"run_id": run_id}).scalars().all()
    payloads: list[Payload] = [
        AssetFailed(asset_key=AssetKey.from_user_string(key), partition=tuple(fenced.partition), reason=reason) for key in missing
    ]
    payloads.append(RunFailed(error=error, failed_steps=tuple(StepKey(key) for key in stopped), reason=reason))
    return _conclude(conn, fenced, RunStatus.FAILURE, payloads)


def succeed(conn: Connection, run_id: RunId, epoch: int) -> bool:
    """End a run whose worker was lost after all steps were done. False: a newer attempt owns it, or it has ended."""
    fenced = _fence(conn, run_id, epoch, RunStatus.SUCCESS)
    return fenced is not None and _conclude(conn, fenced, RunStatus.SUCCESS, [RunSucceeded()])


def cancel_lost(conn: Connection, run_id: RunId, epoch: int, *, reason: str = "its worker is gone") -> bool:
    """End a run that was being canceled when its worker was lost. False: a newer attempt owns it, or it has ended."""
    fenced = _fence(conn, run_id, epoch, RunStatus.CANCELED)
    return fenced is not None and _conclude(conn, fenced, RunStatus.CANCELED, [RunCanceled(reason=reason)])


def request_cancel(conn: Connection, run_id: str, *, reason: str | None = None) -> Run:
    """Cancel a queued run at once; have the worker of an active one stopped. Asking twice is no error.

    Raises:
        NotFoundError: no such run.
        ConflictError: it has ended, other than by being canceled.
    """
    found = conn.execute(_LOCK_RUN, {"run_id": run_id}).one_or_none() if is_run_id(run_id) else None
    if found is None:
        raise NotFoundError("run", run_id)
    status, key = RunStatus(found.status), RunId(str(found.run_id))
    if status is RunStatus.QUEUED:
        fenced = _fence(conn, key, found.epoch, RunStatus.CANCELED)
        assert fenced is not None
        _conclude(conn, fenced, RunStatus.CANCELED, [RunCanceled(reason=reason or "canceled before it started")])
    elif status in sources(RunStatus.CANCELING):
        conn.execute(_CANCELING, {"run_id": key, "reason": reason})
        listen.notify(conn, "queue", f"runs:{key}")
    elif status not in (RunStatus.CANCELING, RunStatus.CANCELED):
        raise ConflictError(f"Run {key} cannot be canceled: it has ended ({status})")
    run = get(conn, key)
    assert run is not None
    return run


def canceling(conn: Connection) -> list[Run]:
    """Runs whose workers are to be stopped."""
    return [from_row(row) for row in conn.execute(select(_runs).where(_runs.c.status == "CANCELING").order_by(_runs.c.run_id))]


def renew(conn: Connection, held: Sequence[tuple[RunId, int]], *, seconds: float, server_id: str) -> set[RunId]:
    """Extend the leases of the live workers of a code server; runs that are not in the answer belong to someone else, or have ended."""
    if not held:
        return set()
    parameters = {"ids": [run_id for run_id, _ in held], "epochs": [epoch for _, epoch in held], "seconds": seconds, "server_id": server_id}
    return {RunId(str(run_id)) for run_id in conn.execute(_RENEW, parameters).scalars()}


def vouch(conn: Connection, launching: Sequence[tuple[RunId, int]], *, seconds: float) -> None:
    """Extend the leases of runs whose launch is under way; from the launch on their code server does it."""
    if launching:
        parameters = {"ids": [run_id for run_id, _ in launching], "epochs": [epoch for _, epoch in launching], "seconds": seconds}
        conn.execute(_VOUCH, parameters)


def end_lease(conn: Connection, run_id: RunId, epoch: int, *, reason: str) -> bool:
    """Tell the recovery loop that a worker is gone, without waiting for its lease to lapse."""
    changed = conn.execute(_END_LEASE, {"run_id": run_id, "epoch": epoch, "reason": json_rows.clean(reason)}).rowcount
    if changed:
        # Its processes are dead: what they held is free at once, whenever recovery comes to settle the run.
        pools.release_runs(conn, [run_id])
        listen.notify(conn, "recovery", f"runs:{run_id}")
    return bool(changed)


def lapsed(conn: Connection) -> list[Run]:
    """Active runs that nobody vouches for any more, locked against their workers until the transaction ends."""
    return [from_row(row) for row in conn.execute(_LAPSED)]


def slow(conn: Connection, *, launch_seconds: float, cancel_seconds: float, limited: bool) -> tuple[datetime, list[Run]]:
    """Active runs that may have taken too long, and the database's time; they are not locked.

    Args:
        launch_seconds: since the claim, without a report.
        cancel_seconds: since being asked to stop.
        limited: whether runs without a tag have a longest time, too.
    """
    now = conn.execute(select(func.clock_timestamp())).scalar_one()
    parameters = {"launch": launch_seconds, "cancel": cancel_seconds, "limited": limited}
    return now, [from_row(row) for row in conn.execute(_SLOW, parameters)]


def retryable(conn: Connection, limit: int = 100) -> list[Run]:
    """Failed runs of which recovery has not yet decided whether they are tried again, oldest first."""
    return [from_row(row) for row in conn.execute(_RETRYABLE, {"limit": limit})]


def mark_retried(conn: Connection, run_id: RunId) -> bool:
    """Recovery has decided. False: another daemon was first; the caller then enqueues nothing."""
    marked = conn.execute(_MARK_RETRIED, {"run_id": run_id}).one_or_none()
    if marked is not None and marked.backfill_id is not None:
        listen.notify(conn, f"backfills:{marked.backfill_id}")
    return marked is not None


def steps(conn: Connection, run_id: RunId) -> list[StepRecord]:
    """The steps of a run, in the order of its plan; empty until its worker has planned."""
    table = tables.steps
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.ordinal, table.c.step_key)
    return [step_rows.from_row(row) for row in conn.execute(query)]


def launch_spec(run: Run, log_limit_bytes: int) -> LaunchSpec:
    """What a worker needs, from a run as `claim` returned it."""
    return LaunchSpec(
        run_id=run.run_id,
        epoch=run.epoch,
        digest=run.digest,
        job_name=run.job_name,
        asset_keys=run.asset_keys,
        check_keys=run.check_keys,
        only_checks=run.only_checks,
        step_keys=run.step_keys,
        partition=run.partition,
        partition_end=run.partition_end,
        config=run.config,
        tags=run.tags,
        parent_run_id=run.parent_run_id,
        root_run_id=run.root_run_id,
        inherited=run.inherited,
        retry_number=run.retry_number,
        first_seq=run.last_seq + 1,
        log_limit_bytes=log_limit_bytes,
    )


def is_run_id(candidate: str) -> bool:
    """Whether Postgres takes the text as a UUID."""
    try:
        uuid.UUID(candidate)
    except (ValueError, AttributeError, TypeError):
        return False
    return True


def from_row(row: Any) -> Run:
    """A row of `runs` as the domain has it."""
    return Run(
        run_id=RunId(str(row.run_id)),
        location=LocationName(row.location),
        digest=Digest(row.digest),
        job_name=row.job_name,
        asset_keys=asset_keys(row.asset_keys),
        check_keys=tuple(AssetCheckKey.from_user_string(key) for key in row.check_keys),
        only_checks=row.only_checks,
        step_keys=tuple(StepKey(key) for key in row.step_keys),
        partition=tuple(row.partition),
        partition_end=None if row.partition_end is None else tuple(row.partition_end),
        config=row.config,
        tags=row.tags,
        status=RunStatus(row.status),
        trigger=Trigger(kind=TriggerKind(row.trigger_kind), name=row.trigger_name, tick_id=row.tick_id),
        priority=row.priority,
        run_key=row.run_key,
        parent_run_id=_optional_id(row.parent_run_id),
        root_run_id=_optional_id(row.root_run_id),
        inherited={StepKey(key): RunId(value) for key, value in row.inherited.items()},
        retry_number=row.retry_number,
        not_before=row.not_before,
        epoch=row.epoch,
        server_id=row.server_id,
        last_seq=row.last_seq,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=error_from_json(row.error) if row.error else None,
        status_reason=row.status_reason,
        launch_attempts=row.launch_attempts,
        backfill=_backfill(row),
        background=row.background,
        resumes=row.resumes,
        canceling_at=row.canceling_at,
    )


def _backfill(row: Any) -> BackfillPart | None:
    if row.backfill_id is None:
        return None
    return BackfillPart(backfill_id=str(row.backfill_id), first=row.backfill_first, last=row.backfill_last)


def _optional_id(value: object) -> RunId | None:
    return None if value is None else RunId(str(value))


def _new_row(run: NewRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "location": run.location,
        "digest": run.digest,
        "job_name": run.job_name,
        "asset_keys": [key.to_user_string() for key in run.asset_keys],
        "check_keys": [key.to_user_string() for key in run.check_keys],
        "only_checks": run.only_checks,
        "step_keys": run.step_keys,
        "partition": run.partition,
        "partition_end": run.partition_end,
        "config": run.config,
        "tags": run.tags,
        "trigger_kind": run.trigger.kind,
        "trigger_name": run.trigger.name,
        "tick_id": run.trigger.tick_id,
        "priority": run.priority,
        "run_key": run.run_key,
        "parent_run_id": run.parent_run_id,
        "root_run_id": run.root_run_id,
        "inherited": run.inherited,
        "retry_number": run.retry_number,
        "not_before": run.not_before.isoformat() if run.not_before else None,
        "backfill_id": run.backfill.backfill_id if run.backfill else None,
        "backfill_first": run.backfill.first if run.backfill else None,
        "backfill_last": run.backfill.last if run.backfill else None,
    }


def _fence(conn: Connection, run_id: RunId, epoch: int, target: RunStatus) -> Any:
    """Raise the epoch of a run that may go to `target`; None when it is someone else's, or may not."""
    return conn.execute(_FENCE, {"run_id": run_id, "epoch": epoch, "statuses": _names(sources(target))}).one_or_none()


def _conclude(conn: Connection, fenced: Any, target: RunStatus, payloads: Sequence[Payload]) -> bool:
    """Write a run's last events in place of its worker, with the database's clock."""
    first = fenced.last_seq + 1
    made = tuple(RunEvent(seq=first + place, time=fenced.now, payload=payload) for place, payload in enumerate(payloads))
    run_id = RunId(str(fenced.run_id))
    answer = events.append(conn, [EventBatch(run_id=run_id, epoch=fenced.epoch, events=made)], statuses=sources(target))
    return answer[run_id] is not None


def _names(statuses: Collection[RunStatus]) -> list[str]:
    return sorted(str(status) for status in statuses)


def _quoted(statuses: Collection[RunStatus]) -> str:
    return ", ".join(f"'{name}'" for name in _names(statuses))


_NEW_COLUMNS = (
    "run_id", "location", "digest", "job_name", "asset_keys", "check_keys", "only_checks", "step_keys", "partition", "partition_end",
    "config", "tags", "trigger_kind", "trigger_name", "tick_id", "priority", "run_key", "parent_run_id", "root_run_id", "inherited",
    "retry_number", "not_before", "backfill_id", "backfill_first", "backfill_last",
)  # fmt: skip
_ENQUEUE = text(f"""
INSERT INTO runs ({", ".join(_NEW_COLUMNS)}) SELECT {", ".join(_NEW_COLUMNS)} FROM {json_rows.source(_runs, _NEW_COLUMNS)}
ON CONFLICT DO NOTHING RETURNING run_id
""")
_PLAN_ASSETS = text(f"""
INSERT INTO run_assets (asset_id, run_id, partition)
SELECT asset_id, run_id, partition FROM {json_rows.source(tables.run_assets, ("asset_id", "run_id", "partition"))}
ON CONFLICT DO NOTHING
""")


# The runs of a backfill that is being canceled stay queued until the daemon comes to them, and start no more.
WANTED = "coalesce(backfill_id <> ALL (ARRAY(SELECT b.backfill_id FROM backfills b WHERE b.status = 'CANCELING')), true)"


@cache
def _claim_statement(condition: str) -> TextClause:
    # What is left of the places of background runs is counted by themselves: they are the last in the order.
    return text(f"""
WITH picked AS MATERIALIZED (
    SELECT run_id, background, priority, created_at FROM runs
    WHERE status = 'QUEUED' AND (not_before IS NULL OR not_before <= clock_timestamp()) AND {WANTED} {condition}
    ORDER BY background, priority DESC, created_at, run_id LIMIT :limit FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT run_id FROM (
        SELECT run_id, background, row_number() OVER (PARTITION BY background ORDER BY priority DESC, created_at, run_id) AS place
        FROM picked) p
    WHERE NOT background OR place <= :background
)
UPDATE runs SET status = 'STARTING', epoch = runs.epoch + 1, claimed_at = clock_timestamp(), launch_attempts = runs.launch_attempts + 1,
    lease_expires_at = clock_timestamp() + make_interval(secs => :lease), server_id = NULL, status_reason = NULL, pooled = false,
    xid = pg_current_xact_id() FROM chosen WHERE runs.run_id = chosen.run_id AND runs.status IN ({_quoted(sources(RunStatus.STARTING))})
RETURNING runs.*
""")


_OF_LOCATIONS = " AND location = ANY(CAST(:locations AS text[]))"
_OF_IDS = " AND run_id = ANY(CAST(:ids AS uuid[]))"
_REQUEUE = text("""
UPDATE runs SET status = 'QUEUED', not_before = :not_before, status_reason = :reason, lease_expires_at = NULL, server_id = NULL,
    started_at = NULL, resumes = resumes + :resumes, xid = pg_current_xact_id()
WHERE run_id = :run_id AND epoch = :epoch AND status = ANY(:statuses)
""")
_REOPEN_STEPS = text("UPDATE steps SET status = 'PENDING', started_at = NULL WHERE run_id = :run_id AND status IN ('STARTED', 'RETRYING')")
_FENCE = text("""
UPDATE runs SET epoch = epoch + 1 WHERE run_id = :run_id AND epoch = :epoch AND status = ANY(:statuses)
RETURNING run_id, epoch, last_seq, partition, clock_timestamp() AS now
""")
_UNMATERIALIZED = text("""
SELECT a.key FROM run_assets ra JOIN assets a ON a.asset_id = ra.asset_id
WHERE ra.run_id = :run_id AND NOT EXISTS (SELECT FROM asset_partitions ap WHERE ap.asset_id = ra.asset_id AND ap.run_id = ra.run_id)
ORDER BY a.key
""")
_OPEN_STEP_KEYS = text(
    "SELECT step_key FROM steps WHERE run_id = :run_id AND status IN ('STARTED', 'RETRYING', 'FAILURE') ORDER BY ordinal"
)
_LOCK_RUN = text("SELECT run_id, status, epoch FROM runs WHERE run_id = :run_id FOR UPDATE")
_CANCELING = text(f"""
UPDATE runs SET status = 'CANCELING', status_reason = :reason, canceling_at = clock_timestamp(), xid = pg_current_xact_id()
WHERE run_id = :run_id AND status IN ({_quoted(sources(RunStatus.CANCELING))})
""")
# Whoever waits for rows of several runs takes them in the order of ids, so that no two wait for each other in a circle.
_HELD = """
WITH held AS MATERIALIZED (
    SELECT runs.run_id FROM runs JOIN unnest(CAST(:ids AS uuid[]), CAST(:epochs AS integer[])) AS held(run_id, epoch)
        ON runs.run_id = held.run_id AND runs.epoch = held.epoch
    WHERE runs.status IN ({statuses}) ORDER BY runs.run_id FOR UPDATE OF runs
)
"""
_RENEW = text(f"""
{_HELD.format(statuses=_quoted(ACTIVE))}
UPDATE runs SET lease_expires_at = clock_timestamp() + make_interval(secs => :seconds), server_id = :server_id
FROM held WHERE runs.run_id = held.run_id RETURNING runs.run_id
""")
_VOUCH = text(f"""
{_HELD.format(statuses="'STARTING'")}
UPDATE runs SET lease_expires_at = clock_timestamp() + make_interval(secs => :seconds) FROM held WHERE runs.run_id = held.run_id
""")
_SLOW = text(f"""
SELECT * FROM runs WHERE status IN ({_quoted(ACTIVE)}) AND CASE status
    WHEN 'STARTING' THEN claimed_at <= clock_timestamp() - make_interval(secs => :launch)
    WHEN 'CANCELING' THEN canceling_at <= clock_timestamp() - make_interval(secs => :cancel)
    ELSE :limited OR tags ?| ARRAY['dagwright/max_runtime', 'dagster/max_runtime'] END ORDER BY run_id
""")
_END_LEASE = text(f"""
UPDATE runs SET lease_expires_at = clock_timestamp(), status_reason = :reason
WHERE run_id = :run_id AND epoch = :epoch AND status IN ({_quoted(ACTIVE)})
""")
_LAPSED = text(f"""
SELECT * FROM runs WHERE status IN ({_quoted(ACTIVE)}) AND lease_expires_at <= clock_timestamp() ORDER BY run_id FOR UPDATE SKIP LOCKED
""")
_RETRYABLE = text("SELECT * FROM runs WHERE status = 'FAILURE' AND NOT retried ORDER BY run_id LIMIT :limit")
_MARK_RETRIED = text("UPDATE runs SET retried = true WHERE run_id = :run_id AND NOT retried RETURNING backfill_id")
