"""From a request to a backfill: checks of assets or job, partitions and config on the current definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from dagwright_shared.decide import backfill_targets as targets
from dagwright_shared.decide.backfill_targets import KeyRange, Narrow, Wanted, refused
from dagwright_shared.decide.requests import Definitions as LocationDefinitions
from dagwright_shared.model import backfills as model
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import JOB, Backfill, Home, NewBackfill, Target
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.keys import Digest, LocationName, format_partition, new_run_id
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
from dagwright_webserver.reads.definitions import Definitions, DefinitionsCache, dynamic_keys
from dagwright_webserver.routes.assets import find_id
from dagwright_webserver.schemas import BackfillBody, LaunchBody, PartitionRange, RunOptions


def make(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, trigger: Trigger) -> NewBackfill:
    """The backfill that a request asks for.

    Raises:
        InvalidRequestError: with everything that is wrong.
    """
    chosen, *others = _chosen(body, defs)
    if others and body.config is not None:
        places = ", ".join(each.location for each in (chosen, *others))
        message = f"these assets are of several locations ({places}), and config is of one; ask for a backfill of each"
        raise refused(Problem(path="config", message=message))
    problems = launching.config_problems(RunOptions(config=body.config, tags=body.tags), chosen, defs)
    if problems:
        raise refused(*problems)
    return NewBackfill(
        backfill_id=new_run_id(),
        location=chosen.location,
        digest=defs.digests[chosen.location],
        target=_target(conn, defs, memo, body, (chosen, *others)),
        job_name=chosen.job.name if chosen.job else None,
        asset_keys=tuple(asset.key for each in (chosen, *others) for asset in each.assets),
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
    known = _known(defs, made)
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


def again(conn: Connection, defs: Definitions, cache: DefinitionsCache, backfill_id: str, trigger: Trigger) -> NewBackfill:
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
    if not model.left(found.target, found.progress):
        raise ConflictError(f"Backfill {backfill_id} made everything; there is nothing to ask for again")
    fits(defs, found)
    target = _left(conn, defs, cache, found)
    return NewBackfill(
        backfill_id=new_run_id(),
        location=found.location,
        digest=defs.digests[found.location],
        target=target,
        job_name=found.job_name,
        asset_keys=tuple(key for key in found.asset_keys if key.to_user_string() in target.parts),
        tags=found.tags,
        config=found.config,
        title=found.title,
        description=found.description,
        trigger=trigger,
        parent_id=found.backfill_id,
    )


def fits(defs: Definitions, found: Backfill) -> None:
    """Raises ConflictError where what a backfill makes is no longer defined; the daemon sees to partitions that were defined anew."""
    for location in model.locations_of(found):
        if location not in defs.locations:
            raise ConflictError(f"Location {location!r} has no definitions now, so backfill {found.backfill_id} cannot go on")
    known = _known(defs, found)
    gone = [name for name in found.target.parts if name != JOB and name not in known.assets]
    if found.job_name is not None and found.job_name not in known.jobs:
        gone.append(f"job {found.job_name}")
    if gone:
        places = ", ".join(model.locations_of(found))
        raise ConflictError(f"{', '.join(gone)} no longer defined in {places}, so backfill {found.backfill_id} cannot go on")


def _left(conn: Connection, defs: Definitions, cache: DefinitionsCache, found: Backfill) -> Target:
    """What a backfill did not make, as the newest definitions have it: by key, as places may have moved, without keys that are gone."""
    then, now = _then(conn, cache, found), _known(defs, found)
    names = [*found.target.parts]
    definitions = [_partitions(now, found.job_name, name) for name in names]
    at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, [each for each in definitions if each is not None]))
    same = all(_partitions(then, found.job_name, name) == each for name, each in zip(names, definitions, strict=True))
    parts = model.left(found.target, found.progress)
    if same:
        at = found.target.moment
    else:
        moved = {}
        for name, subset in parts.items():
            keys = model.keys_of(_partitions(then, found.job_name, name), subset, found.target.moment)
            moved[name] = model.known_ordinals(_partitions(now, found.job_name, name), keys, at)
        parts = {name: subset for name, subset in moved.items() if subset}
    if not parts:
        raise ConflictError(f"None of the partitions that backfill {found.backfill_id} did not make exists any more")
    homes = {name: replace(home, digest=defs.digests[home.location]) for name, home in found.target.homes.items() if name in parts}
    dynamic = {name: tuple(keys) for name, keys in at.dynamic.items()}
    return Target(as_of=at.now, parts=parts, dynamic=dynamic, homes=homes)


def _then(conn: Connection, cache: DefinitionsCache, found: Backfill) -> LocationDefinitions:
    """The definitions that a backfill was made with.

    Raises:
        ConflictError: they are no longer kept.
    """

    def of(digest: Digest) -> LocationDefinitions:
        snapshot = cache.snapshot(conn, digest)
        if snapshot is None:
            raise ConflictError(f"The definitions that backfill {found.backfill_id} was made with are gone; ask for a new one")
        return LocationDefinitions.of(digest, snapshot)

    return of(found.digest).joined({name: of(home.digest) for name, home in found.target.homes.items()})


def _chosen(body: BackfillBody, defs: Definitions) -> tuple[Chosen, ...]:
    """What is to be made, by location: one of a job, any number of assets."""
    if body.job is not None and body.assets is not None:
        raise refused(Problem(path="assets", message="give a job or assets, not both", expected="job or assets"))
    try:
        if body.assets and (body.location is None or body.location in defs.locations):
            return launching.find_assets(body.assets, body.location, defs)
        return (launching.find_target(LaunchBody(job=body.job, assets=body.assets, location=body.location), defs),)
    except InvalidRequestError as error:
        raise refused(*error.problems) from None


def _target(conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, chosen: Sequence[Chosen]) -> Target:
    own = chosen[0]
    at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, [each for one in chosen for each in launching.partitions_of(one)]))
    places = {asset.key.to_user_string(): one.location for one in chosen for asset in one.assets}
    homes = {name: Home(location=place, digest=defs.digests[place]) for name, place in places.items() if place != own.location}
    known = _joined(defs, own.location, homes)
    if own.job is not None:
        if body.missing_only or body.failed_only:
            message = "what a job makes is not known by partition; ask for a backfill of its assets"
            raise refused(Problem(path="missing_only" if body.missing_only else "failed_only", message=message, value=True))
        return targets.of_job(own.job.name, known, _wanted(body), at)
    found = targets.of_assets([*places], known, _wanted(body), at, _narrow(conn, defs, memo, body, places, at))
    return replace(found, homes={name: home for name, home in homes.items() if name in found.parts})


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


def _narrow(
    conn: Connection, defs: Definitions, memo: PartitionMemo, body: BackfillBody, places: Mapping[str, str], at: Moment
) -> Narrow | None:
    if not body.missing_only and not body.failed_only:
        return None

    def narrow(asset: AssetSnapshot, subset: Subset) -> Subset:
        asset_id = find_id(conn, defs, asset.key.to_user_string(), places[asset.key.to_user_string()])
        states = memo.read(conn, asset_id, asset.partitions, at)
        return subset - states.materialized if body.missing_only else subset & states.failed

    return narrow


def _known(defs: Definitions, made: NewBackfill | Backfill) -> LocationDefinitions:
    """The newest definitions of all its parts."""
    return _joined(defs, made.location, made.target.homes)


def _joined(defs: Definitions, own: LocationName, homes: Mapping[str, Home]) -> LocationDefinitions:
    places = {own, *(home.location for home in homes.values())}
    known = {place: LocationDefinitions.of(defs.digests[place], defs.locations[place]) for place in places}
    return known[own].joined({name: known[home.location] for name, home in homes.items()})


def _partitions(known: LocationDefinitions, job_name: str | None, name: str) -> Partitions | None:
    return known.jobs[job_name].partitions if job_name is not None else known.assets[name].partitions
