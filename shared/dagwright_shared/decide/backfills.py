"""The next step of a backfill: which partitions of which assets may be asked for now, and in which runs.

Assets are looked at in the order of the graph. A partition waits for the upstream partitions that the backfill makes too. Where an
asset reads just the partition of the same key of an upstream that is about to be asked for, under the same policy, both go into one run.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from dagwright_shared.decide import queue
from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import BACKFILL_TAG, JOB, PRIORITY, Backfill, BackfillStatus, PartProgress, Progress, Target, keys_of
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.dependents import Moment, dependents, is_identity
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, PartitionKey, RunId
from dagwright_shared.model.partitions import MultiPartitions, Partitions, count
from dagwright_shared.model.runs import BackfillPart, NewRun, RunStatus, Trigger, TriggerKind, system_tag
from dagwright_shared.model.snapshot import AssetSnapshot, BackfillPolicyData, JobSnapshot, PartitionMappingData
from dagwright_shared.model.subsets import EMPTY, Subset

Unit: TypeAlias = tuple[AssetSnapshot, ...]
"""Assets that are only made together: those of one op that cannot be subset, or a single one."""
_Made: TypeAlias = tuple[str, Definitions, tuple[AssetKey, ...], tuple[AssetCheckKey, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run to ask for: some parts, from one ordinal to another, both included."""

    names: tuple[str, ...]
    partitions: Partitions | None
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do now."""

    runs: tuple[PlannedRun, ...]
    progress: Progress
    cut: bool
    """More could be asked for at once; the bound on runs left it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of runs of one kind."""

    names: tuple[str, ...]
    ordinals: Subset
    status: RunStatus
    runs: int
    made: Mapping[str, Subset]
    """By part, what they made all the same, where they did not succeed."""
    retried: bool = False
    """A run of the backfill tries again what they did not make."""


def settle(progress: Progress, ended: Iterable[Ended]) -> Progress:
    """The progress once the ends of runs are taken into account."""
    parts = dict(progress.parts)
    open_runs = progress.open_runs
    for each in ended:
        open_runs -= 0 if each.retried else each.runs
        for name in each.names:
            part = parts.get(name, PartProgress())
            made = each.ordinals if each.status is RunStatus.SUCCESS else each.made.get(name, EMPTY) & each.ordinals
            succeeded = part.succeeded | made
            lost = EMPTY if each.retried else each.ordinals - succeeded
            failed, canceled = part.failed, part.canceled
            if each.status is RunStatus.CANCELED:
                canceled |= lost
            else:
                failed |= lost
            parts[name] = replace(part, succeeded=succeeded, failed=failed - succeeded, canceled=canceled - succeeded)
    return Progress(parts=parts, open_runs=open_runs)


def next_step(target: Target, progress: Progress, definitions: Definitions, *, job_name: str | None, limit: int) -> Step:
    """What may be asked for now.

    Args:
        definitions: those that the target was made with, as far as its parts go.
        job_name: of a backfill of a job: it has a run for each partition.
        limit: at most so many runs.
    """
    if job_name is not None:
        return _job_step(target, progress, definitions.jobs[job_name].partitions, limit)
    parts = {name: progress.part(name) for name in target.parts}
    ready: dict[str, Subset] = {}
    groups = _Groups()
    for unit in units(target.parts, definitions):
        names = tuple(asset.key.to_user_string() for asset in unit)
        edges = _edges(unit, target, definitions)
        for name, skipped in _skipped(unit, edges, target, parts).items():
            parts[name] = replace(parts[name], skipped=parts[name].skipped | skipped)
        found = _ready(unit, edges, target, parts, ready)
        if found:
            ready |= dict.fromkeys(names, found)
            groups.add(unit[0], definitions.home(names[0]).snapshot.location, names, found)
    runs, cut = groups.runs(target.moment, limit)
    asked: dict[str, list[Subset]] = {}
    for run in runs:
        for name in run.names:
            asked.setdefault(name, []).append(subsets.of_range(run.first, run.last + 1))
    for name, made in asked.items():
        parts[name] = replace(parts[name], enqueued=subsets.union((parts[name].enqueued, *made)))
    return Step(runs=runs, progress=Progress(parts=parts, open_runs=progress.open_runs + len(runs)), cut=cut)


def ended_as(target: Target, progress: Progress) -> BackfillStatus | None:
    """How a backfill that nobody cancels has ended, if it has."""
    if progress.open_runs:
        return None
    if any(not subset <= progress.part(name).ended for name, subset in target.parts.items()):
        return None
    return BackfillStatus.FAILED if any(progress.part(name).lost for name in target.parts) else BackfillStatus.COMPLETED


def cancel_rest(target: Target, progress: Progress) -> Progress:
    """What was not asked for is canceled."""
    parts = {
        name: replace(part := progress.part(name), canceled=part.canceled | (subset - part.enqueued - part.skipped))
        for name, subset in target.parts.items()
    }
    return replace(progress, parts=parts)


def changed(target: Target, job_name: str | None, then: Definitions | None, now: Definitions) -> str | None:
    """Why a backfill cannot go on with newer definitions, in words; None when it can."""
    if then is None:
        return "the definitions that it was made with are gone"
    if job_name is not None:
        job, renewed = then.jobs.get(job_name), now.jobs.get(job_name)
        if renewed is None:
            return f"job {job_name!r} is no longer defined"
        return f"the partitions of job {job_name!r} were defined anew" if job and job.partitions != renewed.partitions else None
    for name in target.parts:
        before, after = then.assets.get(name), now.assets.get(name)
        if after is None or after.op_name is None:
            return f"asset {name!r} is no longer defined"
        if before is not None and before.partitions != after.partitions:
            return f"the partitions of asset {name!r} were defined anew"
    return None


def units(names: Iterable[str], definitions: Definitions) -> list[Unit]:
    """The assets of a backfill as units, each after those that it depends on."""
    members: dict[str, list[AssetSnapshot]] = {}
    unit_of: dict[AssetKey, str] = {}
    for name in names:
        asset = definitions.assets[name]
        together = not asset.can_subset and asset.op_name is not None
        owner = f":{definitions.home(name).snapshot.location}:{asset.op_name}" if together else name
        members.setdefault(owner, []).append(asset)
        unit_of[asset.key] = owner
    nodes = {owner: AssetKey(f"{place:09}") for place, owner in enumerate(members)}
    parents = {
        nodes[owner]: [nodes[unit_of[dep.key]] for asset in found for dep in asset.deps if unit_of.get(dep.key, owner) != owner]
        for owner, found in members.items()
    }
    by_node = {node: tuple(members[owner]) for owner, node in nodes.items()}
    return [by_node[node] for node in Topology(parents).order()]


def policy_of(asset: AssetSnapshot) -> BackfillPolicyData | None:
    """How many partitions a run of it covers; an unpartitioned asset has nothing to share out."""
    return asset.backfill if asset.partitions is not None else None


def new_runs(backfill: Backfill, planned: Sequence[PlannedRun], definitions: Definitions, *, make_id: Callable[[], RunId]) -> list[NewRun]:
    """The runs of a step. Their run keys let each part of a backfill be asked for once in each of its attempts."""
    job = definitions.jobs[backfill.job_name] if backfill.job_name is not None else None
    tags = {**(job.run_tags if job else {}), **backfill.tags, BACKFILL_TAG: backfill.backfill_id}
    priority = queue.priority(tags) if system_tag(tags, "priority") is not None else PRIORITY
    key = f"backfill:{backfill.backfill_id}:{backfill.attempt}"
    made = {names: _made(names, definitions, job) for names in {run.names for run in planned}}
    found = []
    for run, (first, last) in zip(planned, _ends(planned, backfill.target.moment), strict=True):
        group, home, assets, checks = made[run.names]
        new = NewRun(
            run_id=make_id(),
            location=home.snapshot.location,
            digest=home.digest,
            job_name=backfill.job_name,
            asset_keys=assets,
            check_keys=checks,
            partition=first,
            partition_end=last if run.last > run.first else None,
            config=backfill.config or (job.default_config if job else {}),
            tags=tags,
            trigger=Trigger(kind=TriggerKind.BACKFILL, name=backfill.backfill_id),
            priority=priority,
            run_key=f"{key}:{group}:{run.first}-{run.last}",
            backfill=BackfillPart(backfill_id=backfill.backfill_id, first=run.first, last=run.last),
        )
        found.append(new)
    return found


def _made(names: tuple[str, ...], definitions: Definitions, job: JobSnapshot | None) -> _Made:
    """What tells some parts from others in run keys; which definitions their runs are of, and what these make."""
    assets = job.asset_keys if job else tuple(definitions.assets[name].key for name in names)
    group = hashlib.sha256("|".join(names).encode()).hexdigest()[:12]
    home = definitions.home(names[0])
    return group, home, assets, job.check_keys if job else _checks(home, assets)


def _ends(planned: Sequence[PlannedRun], at: Moment) -> Iterator[tuple[PartitionKey, PartitionKey]]:
    """The first and the last key of each run. Definitions are not made keys of a dict: a hash looks at each of their keys."""
    for partitions, group in itertools.groupby(planned, key=lambda run: run.partitions):
        alike = list(group)
        ordinals = subsets.of_ordinals({place for run in alike for place in (run.first, run.last)})
        keys = dict(zip(ordinals, keys_of(partitions, ordinals, at), strict=True))
        yield from ((keys[run.first], keys[run.last]) for run in alike)


def _checks(definitions: Definitions, assets: Sequence[AssetKey]) -> tuple[AssetCheckKey, ...]:
    return tuple(check.key for check in definitions.snapshot.checks if check.key.asset_key in assets)


def _job_step(target: Target, progress: Progress, partitions: Partitions | None, limit: int) -> Step:
    part, wanted = progress.part(JOB), target.parts[JOB]
    waiting = wanted - part.enqueued - part.skipped
    chosen = waiting.first(limit)
    runs = tuple(PlannedRun(names=(JOB,), partitions=partitions, first=ordinal, last=ordinal) for ordinal in chosen)
    parts = {JOB: replace(part, enqueued=part.enqueued | chosen)}
    return Step(runs=runs, progress=Progress(parts=parts, open_runs=progress.open_runs + len(runs)), cut=len(chosen) < len(waiting))


@dataclass(frozen=True, slots=True)
class _Edge:
    """A dependency inside the backfill: on another unit, or of an asset on its own earlier partitions."""

    asset: AssetSnapshot
    upstream: AssetSnapshot
    mapping: PartitionMappingData | None
    one_location: bool
    """Whether a run can make both."""

    @property
    def is_own(self) -> bool:
        return self.asset.key == self.upstream.key

    @property
    def in_one_run(self) -> bool:
        """Whether a run may make a partition and the upstream one that it reads."""
        same = is_identity(self.mapping, self.upstream.partitions, self.asset.partitions)
        return same and policy_of(self.upstream) == policy_of(self.asset)

    def reading(self, upstream: Subset, at: Moment) -> Subset:
        """What reads any of these upstream partitions."""
        return dependents(upstream, self.upstream.partitions, self.asset.partitions, self.mapping, at)


def _edges(unit: Unit, target: Target, definitions: Definitions) -> list[_Edge]:
    inside = {asset.key for asset in unit}
    home = definitions.home(unit[0].key.to_user_string())
    return [
        _Edge(asset, definitions.assets[dep.key.to_user_string()], dep.mapping, definitions.home(dep.key.to_user_string()) is home)
        for asset in unit
        for dep in asset.deps
        if dep.key.to_user_string() in target.parts and (dep.key not in inside or dep.key == asset.key)
    ]


def _skipped(unit: Unit, edges: Sequence[_Edge], target: Target, parts: Mapping[str, PartProgress]) -> Mapping[str, Subset]:
    """What will not be asked for, as something that it reads was lost."""
    lost = {asset.key.to_user_string(): EMPTY for asset in unit}
    while True:
        read = subsets.union(
            edge.reading(parts[name].lost | lost.get(name, EMPTY), target.moment)
            for edge in edges
            for name in [edge.upstream.key.to_user_string()]
        )
        found = {name: (read & target.parts[name]) - parts[name].enqueued - parts[name].skipped for name in lost}
        # Only what depends on itself loses more by what it has lost.
        if found == lost or not any(edge.is_own for edge in edges):
            return found
        lost = found


def _ready(unit: Unit, edges: Sequence[_Edge], target: Target, parts: Mapping[str, PartProgress], asked: Mapping[str, Subset]) -> Subset:
    """The partitions of a unit that may be asked for now; `asked` are those of units before it."""
    names = [asset.key.to_user_string() for asset in unit]
    waiting = subsets.union(target.parts[name] - parts[name].enqueued - parts[name].skipped for name in names)
    policy = policy_of(unit[0])
    apart: set[int] = set()
    while True:
        found, shared = waiting, dict[int, Subset]()
        for place, edge in sorted(enumerate(edges), key=lambda each: each[1].is_own):
            name = edge.upstream.key.to_user_string()
            pending = target.parts[name] - parts[name].succeeded
            if edge.is_own:
                found = _by_itself(edge, policy, found, pending, target.moment)
                continue
            together = asked.get(name, EMPTY) if place not in apart and _shares_runs(edge, policy, target, asked) else EMPTY
            if together and policy is not None:
                shared[place] = together
            found -= edge.reading(pending - together, target.moment)
        # A run of several partitions is of the same ones for all its assets; runs of one partition are matched one by one.
        different = {place for place, together in shared.items() if together != found}
        if not different:
            return found
        apart |= different


def _shares_runs(edge: _Edge, policy: BackfillPolicyData | None, target: Target, asked: Mapping[str, Subset]) -> bool:
    """Whether partitions of an asset may go into the runs of the upstream ones that they read, if both are asked for now."""
    if not edge.one_location:
        return False
    if edge.in_one_run:
        return True
    partitions, name = edge.asset.partitions, edge.upstream.key.to_user_string()
    if policy is None or partitions is None or (policy_of(edge.upstream), edge.upstream.partitions) != (policy, partitions):
        return False
    # Where one run makes all of both, it does not matter which partitions read which.
    whole = target.parts[name]
    return (
        asked.get(name) == whole == target.parts[edge.asset.key.to_user_string()]
        and len(whole) <= (policy.max_partitions_per_run or len(whole))
        and len(list(_rows(whole, partitions, target.moment))) == 1
    )


def _by_itself(edge: _Edge, policy: BackfillPolicyData | None, found: Subset, pending: Subset, at: Moment) -> Subset:
    """Of an asset that reads its own earlier partitions: those that may be made next, in one run."""
    if policy is None:
        return found - edge.reading(pending, at)
    elsewhere = pending - found
    if elsewhere:
        found &= subsets.of_range(0, elsewhere.ranges[0][0])
    row = Subset(found.ranges[:1])
    return row if policy.max_partitions_per_run is None else row.first(policy.max_partitions_per_run)


class _Groups:
    """Gathers what is ready into runs."""

    def __init__(self) -> None:
        self._alone: dict[tuple[LocationName, Partitions | None], list[tuple[Subset, tuple[str, ...]]]] = {}
        self._ranges: dict[tuple[LocationName, Partitions, BackfillPolicyData, Subset], tuple[str, ...]] = {}

    def add(self, asset: AssetSnapshot, location: LocationName, names: tuple[str, ...], ready: Subset) -> None:
        policy = policy_of(asset)
        if policy is not None and asset.partitions is not None:
            key = (location, asset.partitions, policy, ready)
            self._ranges[key] = (*self._ranges.get(key, ()), *names)
            return
        # A run for each partition: those that the same assets are ready for form a class.
        classes = []
        for subset, members in self._alone.get((location, asset.partitions), []):
            classes += [(subset & ready, (*members, *names)), (subset - ready, members)]
            ready -= subset
        classes.append((ready, names))
        self._alone[location, asset.partitions] = [(subset, members) for subset, members in classes if subset]

    def runs(self, at: Moment, limit: int) -> tuple[tuple[PlannedRun, ...], bool]:
        """The runs, at most so many, and whether there would be more."""
        found = list(itertools.islice(self._every(at), limit + 1))
        return tuple(found[:limit]), len(found) > limit

    def _every(self, at: Moment) -> Iterator[PlannedRun]:
        for (_, partitions), classes in self._alone.items():
            for ordinal, members in heapq.merge(*(_tagged(subset, members) for subset, members in classes)):
                yield PlannedRun(names=members, partitions=partitions, first=ordinal, last=ordinal)
        for (_, partitions, policy, ready), members in self._ranges.items():
            for start, end in _rows(ready, partitions, at):
                size = policy.max_partitions_per_run or end - start
                for first in range(start, end, size):
                    yield PlannedRun(names=members, partitions=partitions, first=first, last=min(first + size, end) - 1)


def _tagged(subset: Subset, members: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for ordinal in subset:
        yield ordinal, members


def _rows(ready: Subset, partitions: Partitions, at: Moment) -> Iterator[tuple[int, int]]:
    """The ranges that a run can be of; of several dimensions only the last one varies in a range."""
    if not isinstance(partitions, MultiPartitions):
        yield from ready.ranges
        return
    length = count(partitions.dimensions[-1][1], at.now, at.dynamic)
    for start, end in ready.ranges:
        at_row = start
        while at_row < end:
            stop = min(end, at_row - at_row % length + length)
            yield at_row, stop
            at_row = stop
