"""What is done to a run on request: put it into the queue, cancel it, run it again, delete it. Each is one transaction of the caller."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlalchemy import Connection

from dagwright_shared.decide import retries
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError, Problem, nearest
from dagwright_shared.model.keys import RunId, StepKey, new_run_id
from dagwright_shared.model.runs import NewRun, RetryStrategy, Run, RunStatus, StepRecord, Trigger
from dagwright_shared.store import listen, retention
from dagwright_shared.store import runs as store_runs
from dagwright_webserver.deps import Web
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.schemas import ReexecuteBody


def enqueue(conn: Connection, web: Web, run: NewRun) -> None:
    """Put a run into the queue.

    Raises:
        ForbiddenError: the caller may not launch at its location.
    """
    web.access.require(run.location)
    web.access.tell(target=run.run_id, after={"job": run.job_name, "assets": [key.to_user_string() for key in run.asset_keys[:20]]})
    store_runs.enqueue(conn, [run], assets=web.asset_ids, tell=[f"runs:{run.run_id}"])


def cancel(conn: Connection, web: Web, run_id: str, *, force: bool) -> Run:
    """Ask a run to stop, or mark it as canceled whatever has become of its worker.

    Raises:
        NotFoundError: there is no such run.
        ForbiddenError: the caller may not.
        ConflictError: it has ended.
    """
    _require_at(conn, web, run_id)
    found = store_runs.request_cancel(conn, run_id)
    if force and not found.status.is_final:
        reason = "marked as canceled on request, without waiting for its worker"
        if store_runs.cancel_lost(conn, found.run_id, found.epoch, reason=reason):
            found = dataclasses.replace(found, status=RunStatus.CANCELED)
    web.access.tell(target=run_id, after={"status": found.status})
    listen.notify(conn, f"runs:{run_id}")
    return found


def delete(conn: Connection, web: Web, run_id: str) -> None:
    """Delete an ended run.

    Raises:
        NotFoundError: there is no such run.
        ForbiddenError: the caller may not.
        ConflictError: it has not ended.
    """
    _require_at(conn, web, run_id)
    retention.delete_run(conn, run_id)
    web.access.tell(target=run_id)
    listen.notify(conn, f"runs:{run_id}")


def _require_at(conn: Connection, web: Web, run_id: str) -> Run:
    """The run, if the caller may do this at its location.

    Raises:
        NotFoundError: there is no such run.
        ForbiddenError: they may not.
    """
    run = store_runs.get(conn, run_id)
    if run is None:
        raise NotFoundError("run", run_id)
    web.access.require(run.location)
    return run


def again(conn: Connection, web: Web, defs: Definitions, run_id: str, asked: ReexecuteBody, trigger: Trigger) -> NewRun:
    """The run that repeats another.

    Raises:
        NotFoundError: there is no such run.
        ForbiddenError: the caller may not.
        ConflictError: it is not over, or what it ran is no longer defined.
    """
    run = _require_at(conn, web, run_id)
    if not run.status.is_final:
        raise ConflictError(f"Run {run_id} is {run.status}; it can be run again once it is over")
    if run.status is RunStatus.SUCCESS and asked.strategy is RetryStrategy.FROM_FAILURE and not asked.steps:
        raise ConflictError(f"Run {run_id} succeeded, so there is no failure to start from; use the strategy ALL_STEPS")
    steps = store_runs.steps(conn, RunId(run_id))
    made = retries.again(run, steps, asked.strategy, run_id=new_run_id(), trigger=trigger)
    if asked.steps:
        made = retries.some_steps(made, run, steps, _chosen(run, steps, asked.steps, downstream=asked.downstream))
    snapshot = defs.locations.get(made.location)
    if snapshot is None:
        raise ConflictError(f"Location {made.location!r} has no definitions now, so run {run_id} cannot be run again")
    if made.job_name is not None and all(job.name != made.job_name for job in snapshot.jobs):
        raise ConflictError(f"Job {made.job_name!r} is no longer defined in {made.location}, so run {run_id} cannot be run again")
    defined = {asset.key for asset in snapshot.assets}
    gone = [key.to_user_string() for key in made.asset_keys if key not in defined]
    if gone:
        raise ConflictError(f"{', '.join(gone)} no longer defined in {made.location}, so run {run_id} cannot be run again")
    return dataclasses.replace(made, digest=defs.digests[made.location])


def _chosen(run: Run, steps: Sequence[StepRecord], asked: Sequence[str], *, downstream: bool) -> frozenset[StepKey]:
    """The steps that are asked for.

    Raises:
        InvalidRequestError: the run has no such step.
        ConflictError: a step would lack its inputs.
    """
    planned = [step.step_key for step in steps]
    wrong = []
    for number, key in enumerate(asked):
        if key not in planned:
            close = nearest(key, planned)
            message = f"the run has no step {key!r}" + (f"; did you mean {close!r}?" if close else "")
            wrong.append(Problem(path=f"steps[{number}]", message=message, value=key, suggestion=close))
    if wrong:
        raise InvalidRequestError("The run cannot be run again", problems=wrong)
    chosen = frozenset(map(StepKey, asked))
    chosen = retries.downstream(steps, chosen) if downstream else chosen
    if lacking := retries.missing_inputs(run, steps, chosen):
        key, deps = next(iter(lacking.items()))
        raise ConflictError(f"Step {key} needs what {', '.join(deps)} did not make; add {'it' if len(deps) == 1 else 'them'} to `steps`")
    return chosen
