"""From what a schedule or sensor asked for to the runs that are enqueued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from dagwright_shared.decide import queue
from dagwright_shared.model import partitions, ranges
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.keys import Digest, RunId, format_partition
from dagwright_shared.model.partitions import DynamicKeys, Partitions
from dagwright_shared.model.runs import NewRun, Trigger, TriggerKind
from dagwright_shared.model.snapshot import AssetSnapshot, JobSnapshot, LocationSnapshot, TriggerTarget
from dagwright_shared.model.ticks import RunRequestData


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """A location's definitions, indexed for looking up what a request names.

    Those of a backfill over several locations have assets of others as well, each with the definitions that it is from.
    """

    digest: Digest
    snapshot: LocationSnapshot
    jobs: Mapping[str, JobSnapshot]
    assets: Mapping[str, AssetSnapshot]
    homes: Mapping[str, Definitions] = field(default_factory=dict)
    """Of the assets that another location defines."""

    @staticmethod
    def of(digest: Digest, snapshot: LocationSnapshot) -> Definitions:
        jobs = {job.name: job for job in snapshot.jobs}
        return Definitions(
            digest=digest, snapshot=snapshot, jobs=jobs, assets={asset.key.to_user_string(): asset for asset in snapshot.assets}
        )

    def home(self, name: str) -> Definitions:
        """The definitions of the location that an asset is from."""
        return self.homes.get(name, self)

    def joined(self, homes: Mapping[str, Definitions]) -> Definitions:
        """These, with assets of other locations in place of any of the same names; what its own location lacks is in none."""
        assets = {name: asset for name, asset in self.assets.items() if name not in homes}
        assets |= {name: home.assets[name] for name, home in homes.items() if name in home.assets}
        return replace(self, assets=assets, homes=dict(homes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The tick that asks."""

    kind: TriggerKind
    name: str
    tick_id: int
    scheduled_for: datetime
    targets: tuple[TriggerTarget, ...] = ()
    tags: Mapping[str, str]


def partitions_of(definitions: Definitions, target: TriggerTarget) -> Partitions | None:
    """The partitions of what a target launches: the job's, or those that its assets share."""
    if target.job_name is not None:
        return _job(definitions, target.job_name).partitions
    found = [definitions.assets[key.to_user_string()].partitions for key in target.asset_keys if key.to_user_string() in definitions.assets]
    return next((one for one in found if one is not None), None)


def run_key(asker: Asker, location: str, request: RunRequestData, ordinal: int) -> str:
    """What makes a request unique, so that a tick that is evaluated again makes no second run.

    A sensor's own run key holds for all its ticks; a schedule's, and a request without one, for the tick.
    """
    moment = asker.scheduled_for.astimezone(UTC).isoformat()
    head = f"{asker.kind.value}:{location}:{asker.name}"
    if asker.kind is TriggerKind.SENSOR:
        return f"{head}:{request.run_key}" if request.run_key is not None else f"{head}:@{moment}:{ordinal}"
    if request.run_key is not None:
        return f"{head}:{moment}:{request.run_key}"
    return f"{head}:{moment}" if ordinal == 0 else f"{head}:{moment}:#{ordinal}"


def users_key(key: str | None, location: str, name: str) -> str | None:
    """The run key that a sensor's function gave, out of the run key of its run; None when it gave none."""
    head = f"{TriggerKind.SENSOR.value}:{location}:{name}:"
    if key is None or not key.startswith(head):
        return None
    rest = key.removeprefix(head)
    return None if rest.startswith("@") else rest


def new_runs(
    definitions: Definitions,
    asker: Asker,
    requests: Sequence[RunRequestData],
    *,
    make_id: Callable[[], RunId],
    now: datetime,
    dynamic: DynamicKeys = partitions.NO_DYNAMIC,
) -> list[NewRun]:
    """The runs that the requests of a tick make.

    Raises:
        NotFoundError: a request names a job or an asset that the location does not have.
        InvalidRequestError: it names no target, or a partition that does not exist.
    """
    return [_new_run(definitions, asker, request, at, make_id(), now, dynamic) for at, request in enumerate(requests)]


def _new_run(
    definitions: Definitions, asker: Asker, request: RunRequestData, ordinal: int, run_id: RunId, now: datetime, dynamic: DynamicKeys
) -> NewRun:
    target = _target(asker, request)
    job = _job(definitions, target.job_name) if target.job_name is not None else None
    known = {key.to_user_string() for key in job.asset_keys} if job is not None and job.asset_keys else definitions.assets.keys()
    for key in target.asset_keys:
        if key.to_user_string() not in known:
            raise NotFoundError(
                "asset",
                key.to_user_string(),
                known=known,
                where=f"job {job.name!r}" if job else f"location {definitions.snapshot.location!r}",
            )
    _check_partition(request, partitions_of(definitions, target), now, dynamic)
    tags = {**(job.run_tags if job else {}), **asker.tags, **request.tags}
    return NewRun(
        run_id=run_id,
        location=definitions.snapshot.location,
        digest=definitions.digest,
        job_name=target.job_name,
        asset_keys=target.asset_keys or (job.asset_keys if job else ()),
        check_keys=request.check_keys
        if request.only_checks
        else target.check_keys or (job.check_keys if job and not target.asset_keys else ()),
        only_checks=request.only_checks,
        partition=request.partition,
        partition_end=request.partition_end,
        config=request.config,
        tags=tags,
        trigger=Trigger(kind=asker.kind, name=asker.name, tick_id=asker.tick_id),
        priority=queue.priority(tags),
        run_key=run_key(asker, definitions.snapshot.location, request, ordinal),
    )


def _target(asker: Asker, request: RunRequestData) -> TriggerTarget:
    """What the request names itself, completed by the target of its schedule or sensor."""
    if request.job_name is not None:
        return TriggerTarget(job_name=request.job_name, asset_keys=request.asset_keys, check_keys=request.check_keys)
    if len(asker.targets) == 1:
        (only,) = asker.targets
        if request.asset_keys or request.check_keys:
            return TriggerTarget(job_name=only.job_name, asset_keys=request.asset_keys, check_keys=request.check_keys)
        return only
    if request.asset_keys or request.check_keys:
        return TriggerTarget(asset_keys=request.asset_keys, check_keys=request.check_keys)
    jobs = ", ".join(target.job_name for target in asker.targets if target.job_name) or "none"
    raise InvalidRequestError(
        f"{asker.kind.value} {asker.name!r} asked for a run without saying of what; give RunRequest(job_name=...) (its targets: {jobs})"
    )


def _job(definitions: Definitions, name: str) -> JobSnapshot:
    job = definitions.jobs.get(name)
    if job is None:
        raise NotFoundError("job", name, known=definitions.jobs, where=f"location {definitions.snapshot.location!r}")
    return job


def _check_partition(request: RunRequestData, definition: Partitions | None, now: datetime, dynamic: DynamicKeys) -> None:
    text = format_partition(request.partition)
    if text is None or definition is None:
        if text is not None:
            problem = Problem(path="partition", message="what is launched is not partitioned", value=text)
            raise InvalidRequestError(f"Partition {text!r} was asked for, but what is launched is not partitioned", problems=[problem])
        return
    expected = partitions.describe(definition)
    try:
        found = ranges.keys_between(definition, request.partition, request.partition_end or request.partition, now, dynamic)
    except LookupError as error:
        text = format_partition(error.args[0])
        problem = Problem(path="partition", message="there is no such partition", value=text, expected=expected)
        raise InvalidRequestError(f"There is no partition {text!r} ({expected})", problems=[problem]) from None
    if not found:
        text = ranges.format_range(request.partition, request.partition_end)
        problem = Problem(path="partition", message="the range ends before it begins", value=text, expected=expected)
        raise InvalidRequestError(f"The range of partitions {text} ends before it begins ({expected})", problems=[problem])
