"""The next step of a backfill: which partitions of which assets may be asked for now, and in which runs.

Assets are looked at in the order of the graph. A partition waits for the upstream partitions that the backfill makes too. Where an
asset reads just the partition of the same key of an upstream that is about to be asked for, under the same policy, both go into one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import JOB, BackfillStatus, PartProgress, Progress, Target
from dagwright_shared.model.dependents import Moment, dependents, is_identity
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import MultiPartitions, Partitions, SimplePartitions, count
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, BackfillPolicyData
from dagwright_shared.model.subsets import EMPTY, Subset

Unit: TypeAlias = tuple[AssetSnapshot, ...]
"""Assets that are only made together: those of one op that cannot be subset, or a single one."""


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
    retried: Subset = EMPTY
    """What of it a retry is to make; the retry is a run of the backfill too."""


def settle(progress: Progress, ended: Iterable[Ended]) -> Progress:
    """The progress once the ends of runs are taken into account."""
    parts = dict(progress.parts)
    open_runs = progress.open_runs
    for each in ended:
        # A retry takes the place of its run, partition by partition.
        open_runs -= each.runs - len(each.retried & each.ordinals) if each.retried and each.runs > 1 else each.runs - bool(each.retried)
        for name in each.names:
            part = parts.get(name, PartProgress())
            made = each.ordinals if each.status is RunStatus.SUCCESS else each.made.get(name, EMPTY) & each.ordinals
            succeeded = part.succeeded | made
            lost = each.ordinals - succeeded - each.retried
            failed, canceled = part.failed, part.canceled
            if each.status is RunStatus.CANCELED:
                canceled |= lost
            else:
                failed |= lost
            parts[name] = replace(part, succeeded=succeeded, failed=failed - succeeded, canceled=canceled - succeeded)
    return Progress(parts=parts, open_runs=open_runs)


def next_step(target: Target, progress: Progress, definitions: Definitions, *, limit: int) -> Step:
    """What may be asked for now.

    Args:
        definitions: those that the target was made with, as far as its parts go.
        limit: at most so many runs.
    """
    if JOB in target.parts:
        return _job_step(target, progress, definitions, limit)
    parts = {name: progress.part(name) for name in target.parts}
    ready: dict[str, Subset] = {}
    groups = _Groups()
    for unit in units(target.parts, definitions.assets):
        names = tuple(str(asset.key) for asset in unit)
        for name, skipped in _skipped(unit, target, parts).items():
            parts[name] = replace(parts[name], skipped=parts[name].skipped | skipped)
        found = _ready(unit, target, parts, ready, definitions.assets)
        if found:
            ready |= dict.fromkeys(names, found)
            groups.add(unit[0], names, found)
    runs, cut = groups.runs(target.moment, limit)
    for run in runs:
        for name in run.names:
            parts[name] = replace(parts[name], enqueued=parts[name].enqueued | subsets.of_range(run.first, run.last + 1))
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


def changed(target: Target, then: Definitions, now: Definitions) -> str | None:
    """Why a backfill cannot go on with newer definitions, in words; None when it can."""
    if JOB in target.parts:
        return None
    for name in target.parts:
        before, after = then.assets.get(name), now.assets.get(name)
        if after is None or after.op_name is None:
            return f"asset {name!r} is no longer defined"
        if before is not None and before.partitions != after.partitions:
            return f"the partitions of asset {name!r} were defined anew"
    return None


def job_changed(name: str, then: Definitions, now: Definitions) -> str | None:
    """As `changed`, for a backfill of a job."""
    before, after = then.jobs.get(name), now.jobs.get(name)
    if after is None:
        return f"job {name!r} is no longer defined"
    if before is not None and before.partitions != after.partitions:
        return f"the partitions of job {name!r} were defined anew"
    return None


def units(names: Iterable[str], assets: Mapping[str, AssetSnapshot]) -> list[Unit]:
    """The assets of a backfill as units, each after those that it depends on."""
    members: dict[str, list[AssetSnapshot]] = {}
    unit_of: dict[AssetKey, str] = {}
    for name in names:
        asset = assets[name]
        owner = name if asset.can_subset or asset.op_name is None else f":{asset.op_name}"
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


def _job_step(target: Target, progress: Progress, definitions: Definitions, limit: int) -> Step:
    part, wanted = progress.part(JOB), target.parts[JOB]
    waiting = wanted - part.enqueued - part.skipped
    chosen = waiting.first(limit)
    runs = tuple(PlannedRun(names=(JOB,), partitions=None, first=ordinal, last=ordinal) for ordinal in chosen)
    parts = {JOB: replace(part, enqueued=part.enqueued | chosen)}
    return Step(runs=runs, progress=Progress(parts=parts, open_runs=progress.open_runs + len(runs)), cut=len(chosen) < len(waiting))


def _edges(unit: Unit, target: Target) -> Iterable[tuple[AssetSnapshot, AssetDepSnapshot]]:
    """Dependencies on other parts of the backfill, and of an asset on itself; siblings are made in the same run."""
    inside = {asset.key for asset in unit}
    for asset in unit:
        for dep in asset.deps:
            if str(dep.key) in target.parts and (dep.key not in inside or dep.key == asset.key):
                yield asset, dep


def _skipped(unit: Unit, target: Target, parts: Mapping[str, PartProgress]) -> Mapping[str, Subset]:
    """What will not be asked for, as something that it reads was lost."""
    names = [str(asset.key) for asset in unit]
    edges = [(asset, dep, _upstream_partitions(dep, unit)) for asset, dep in _edges(unit, target)]
    lost: dict[str, Subset] = {}
    grows = True
    while grows:
        found = EMPTY
        for asset, dep, partitions in edges:
            name = str(dep.key)
            bad = parts[name].lost | lost.get(name, EMPTY)
            found |= dependents(bad, partitions, asset.partitions, dep.mapping, target.moment)
        before = lost
        lost = {name: (found & target.parts[name]) - parts[name].enqueued - parts[name].skipped for name in names}
        # Only what depends on itself can lose more by what it has lost.
        grows = lost != before and any(asset.key == dep.key for asset, dep, _ in edges)
    return lost
