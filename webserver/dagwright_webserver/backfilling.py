"""From a request to a backfill: checks of assets or job, partitions and config on the current definitions."""

from __future__ import annotations

from sqlalchemy import Connection

from dagwright_shared.decide import backfill_targets as targets
from dagwright_shared.decide.backfill_targets import KeyRange, Narrow, Wanted, refused
from dagwright_shared.decide.requests import Definitions as LocationDefinitions
from dagwright_shared.model import backfills as model
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import JOB, Backfill, NewBackfill, Target
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.keys import format_partition, new_run_id
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.runs import Trigger, TriggerKind
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import backfills as store
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver import launching
from dagwright_webserver.deps import utc_now
from dagwright_webserver.launching import Target as Chosen
from dagwright_webserver.reads.backfills import BackfillPreview, PreviewedPart, PreviewedRun
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.routes.assets import find_id
from dagwright_webserver.schemas import BackfillBody, LaunchBody, PartitionRange, RunOptions


def make(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, trigger: Trigger) -> NewBackfill:
    """The backfill that a request asks for.

    Raises:
        InvalidRequestError: with everything that is wrong.
    """
    chosen = _chosen(body, defs)
    problems = launching.config_problems(RunOptions(config=body.config, tags=body.tags), chosen, defs)
    if problems:
        raise refused(*problems)
    return NewBackfill(
        backfill_id=new_run_id(),
        location=chosen.location,
        digest=defs.digests[chosen.location],
        target=_target(conn, defs, memo, body, chosen),
        job_name=chosen.job.name if chosen.job else None,
        asset_keys=tuple(asset.key for asset in chosen.assets),
        tags=body.tags,
        config=body.config or {},
        title=body.title,
        description=body.description,
        trigger=trigger,
    )


def preview(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody) -> BackfillPreview:
    """What the backfill of a request would take.

    Raises:
        InvalidRequestError: as `make`.
    """
    made = make(conn, defs, memo, body, Trigger(kind=TriggerKind.API))
    known = _location(defs, made)
    found = targets.preview(made.target, known, made.job_name)
    parts = []
    for name, subset in made.target.parts.items():
        keys = model.keys_of(_partitions(known, made.job_name, name), subset.first(10), made.target.moment)
        first = [format_partition(key) or "" for key in keys]
        parts.append(
            PreviewedPart(
                name=made.job_name or name,
                partitions=len(subset),
                runs=found.runs_by_part[name],
                first=tuple(filter(None, first)),
            )
        )
    runs = []
    for run in found.first:
        first_key, last_key = (
            format_partition(model.keys_of(run.partitions, subsets.of_range(place, place + 1), made.target.moment)[0])
            for place in (run.first, run.last)
        )
        assets = () if made.job_name else run.names
        runs.append(PreviewedRun(assets=assets, partition=first_key, partition_end=last_key if run.last > run.first else None))
    return BackfillPreview(
        targeted=sum(len(subset) for subset in made.target.parts.values()),
        runs=found.runs,
        waves=found.waves,
        complete=found.complete,
        parts=tuple(parts),
        first=tuple(runs),
    )


def again(conn: Connection, defs: Definitions, backfill_id: str, trigger: Trigger) -> NewBackfill:
    """A backfill of what another one did not make.

    Raises:
        NotFoundError: there is no such backfill.
        ConflictError: it is under way, made everything, or does not fit the definitions any more.
    """
    found = store.get(conn, backfill_id)
    if found is None:
        raise NotFoundError("backfill", backfill_id)
    if not found.status.is_final:
        raise ConflictError(f"Backfill {backfill_id} is {found.status}; what it does not make can be asked for again once it is over")
    parts = model.left(found.target, found.progress)
    if not parts:
        raise ConflictError(f"Backfill {backfill_id} made everything; there is nothing to ask for again")
    fits(defs, found)
    return NewBackfill(
        backfill_id=new_run_id(),
        location=found.location,
        digest=defs.digests[found.location],
        target=Target(as_of=found.target.as_of, parts=parts, dynamic=found.target.dynamic),
        job_name=found.job_name,
        asset_keys=tuple(key for key in found.asset_keys if str(key) in parts),
        tags=found.tags,
        config=found.config,
        title=found.title,
        description=found.description,
        trigger=trigger,
        parent_id=found.backfill_id,
    )


def fits(defs: Definitions, found: Backfill) -> None:
    """Raises ConflictError where what a backfill makes is no longer defined; the daemon sees to partitions that were defined anew."""
    if found.location not in defs.locations:
        raise ConflictError(f"Location {found.location!r} has no definitions now, so backfill {found.backfill_id} cannot go on")
    known = _location(defs, found)
    gone = [name for name in found.target.parts if name != JOB and name not in known.assets]
    if found.job_name is not None and found.job_name not in known.jobs:
        gone.append(f"job {found.job_name}")
    if gone:
        raise ConflictError(f"{', '.join(gone)} no longer defined in {found.location}, so backfill {found.backfill_id} cannot go on")


def _chosen(body: BackfillBody, defs: Definitions) -> Chosen:
    if body.job is not None and body.assets is not None:
        raise refused(Problem(path="assets", message="give a job or assets, not both", expected="job or assets"))
    try:
        return launching.find_target(LaunchBody(job=body.job, assets=body.assets, location=body.location), defs)
    except InvalidRequestError as error:
        raise refused(*error.problems) from None


def _target(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, chosen: Chosen) -> Target:
    at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, launching.partitions_of(chosen)))
    known = LocationDefinitions.of(defs.digests[chosen.location], defs.locations[chosen.location])
    if chosen.job is not None:
        if body.missing_only or body.failed_only:
            message = "what a job makes is not known by partition; ask for a backfill of its assets"
            raise refused(Problem(path="missing_only" if body.missing_only else "failed_only", message=message, value=True))
        return targets.of_job(chosen.job.name, known, _wanted(body), at)
    names = [str(asset.key) for asset in chosen.assets]
    return targets.of_assets(names, known, _wanted(body), at, _narrow(conn, defs, memo, body, chosen, at))


def _wanted(body: BackfillBody) -> Wanted:
    match body.partitions:
        case None if body.missing_only or body.failed_only:
            return "all"
        case None:
            message = 'say which: "all", a list of keys, or {"start": key, "end": key}'
            raise refused(Problem(path="partitions", message=message, expected="partitions"))
        case PartitionRange(start=start, end=end):
            return KeyRange(start=start, end=end)
        case "all":
            return "all"
        case keys:
            return keys


def _narrow(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, chosen: Chosen, at: Moment) -> Narrow | None:
    if not body.missing_only and not body.failed_only:
        return None

    def narrow(asset: AssetSnapshot, subset: Subset) -> Subset:
        asset_id = find_id(conn, defs, str(asset.key), chosen.location)
        states = memo.read(conn, asset_id, asset.partitions, at)
        return subset - states.materialized if body.missing_only else subset & states.failed

    return narrow


def _location(defs: Definitions, made: NewBackfill | Backfill) -> LocationDefinitions:
    return LocationDefinitions.of(defs.digests[made.location], defs.locations[made.location])


def _partitions(known: LocationDefinitions, job_name: str | None, name: str) -> Partitions | None:
    return known.jobs[job_name].partitions if job_name is not None else known.assets[name].partitions
