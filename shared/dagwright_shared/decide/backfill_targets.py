"""From what a person asks for to the target of a backfill, and what that target would take: pure, on current definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from dagwright_shared.decide import backfills
from dagwright_shared.decide.backfills import Ended, PlannedRun
from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model import partitions, subsets
from dagwright_shared.model.backfills import JOB, Progress, Target, dynamic_names, ordinals_of
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.dependents import Moment, dependents, size
from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest
from dagwright_shared.model.keys import format_partition, parse_partition
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_shared.model.subsets import EMPTY, Subset

_TITLE = "The backfill cannot be launched"
_NEAREST_AMONG = 5_000
_PREVIEWED_RUNS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """From one partition to another, both included."""

    start: str
    end: str


Wanted: TypeAlias = Literal["all"] | Sequence[str] | KeyRange
"""Which partitions, in the words of REST."""
Narrow: TypeAlias = Callable[[AssetSnapshot, Subset], Subset]
"""Of the partitions of an asset those that are meant, such as the missing ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a target would take, if every run succeeded."""

    runs: int
    runs_by_part: Mapping[str, int]
    waves: int
    """How often runs have to be waited for before others can follow."""
    first: tuple[PlannedRun, ...]
    complete: bool
    """False: there are more runs than were counted."""


def of_assets(names: Sequence[str], definitions: Definitions, wanted: Wanted, at: Moment, narrow: Narrow | None = None) -> Target:
    """The target of a backfill of assets.

    Keys and ranges name partitions of the first assets, those that have no partitioned upstream among the selected ones; from there
    they are followed downstream, as the assets' partitions map. Unpartitioned assets are made as a whole.

    Raises:
        InvalidRequestError: a partition does not exist, or the first assets do not share their partitions.
    """
    order = [asset for unit in backfills.units(names, definitions) for asset in unit]
    chosen = _everything(order, at) if wanted == "all" else _followed(order, wanted, at)
    if narrow is not None:
        chosen = {
            asset.key.to_user_string(): narrow(asset, chosen[asset.key.to_user_string()])
            for asset in order
            if asset.key.to_user_string() in chosen
        }
    for unit in backfills.units(names, definitions):
        # What is only made together is asked for together.
        whole = subsets.union(chosen.get(asset.key.to_user_string(), EMPTY) for asset in unit)
        chosen |= {asset.key.to_user_string(): whole for asset in unit}
    return _target({name: subset for name, subset in chosen.items() if subset}, [asset.partitions for asset in order], at)


def of_job(name: str, definitions: Definitions, wanted: Wanted, at: Moment, narrow: Callable[[Subset], Subset] | None = None) -> Target:
    """The target of a backfill of a job.

    Raises:
        InvalidRequestError: it has no partitions, or not those.
    """
    definition = definitions.jobs[name].partitions
    if definition is None:
        message = f"job {name!r} is not partitioned; launch it as a run"
        raise refused(Problem(path="job", message=message, value=name, expected="a partitioned job"))
    chosen = subsets.of_range(0, size(definition, at)) if wanted == "all" else _named(definition, wanted, at)
    if narrow is not None:
        chosen = narrow(chosen)
    return _target({JOB: chosen} if chosen else {}, [definition], at)


def preview(target: Target, definitions: Definitions, job_name: str | None) -> Preview:
    """Play a backfill through. At most 20,000 runs are counted."""
    progress, counted, by_part = Progress(), 0, dict.fromkeys(target.parts, 0)
    first: tuple[PlannedRun, ...] = ()
    waves = 0
    while counted < _PREVIEWED_RUNS:
        step = backfills.next_step(target, progress, definitions, job_name=job_name, limit=_PREVIEWED_RUNS - counted)
        if not step.runs:
            return Preview(runs=counted, runs_by_part=by_part, waves=waves, first=first, complete=True)
        waves += 1
        first += step.runs[: max(0, 20 - len(first))]
        counted += len(step.runs)
        for run in step.runs:
            for name in run.names:
                by_part[name] += 1
        progress = backfills.settle(step.progress, _succeeded(step.runs))
    complete = backfills.ended_as(target, progress) is not None
    return Preview(runs=counted, runs_by_part=by_part, waves=waves, first=first, complete=complete)


def refused(*problems: Problem) -> InvalidRequestError:
    return InvalidRequestError(_TITLE, problems=problems)


def _succeeded(runs: Iterable[PlannedRun]) -> list[Ended]:
    alike: dict[tuple[str, ...], list[PlannedRun]] = {}
    for run in runs:
        alike.setdefault(run.names, []).append(run)
    return [
        Ended(
            names=names,
            ordinals=subsets.union(subsets.of_range(run.first, run.last + 1) for run in found),
            status=RunStatus.SUCCESS,
            runs=len(found),
            made={},
        )
        for names, found in alike.items()
    ]


def _target(parts: Mapping[str, Subset], definitions: Iterable[Partitions | None], at: Moment) -> Target:
    if not parts:
        raise refused(Problem(path="partitions", message="no partition is left to be made", expected="at least one partition"))
    dynamic = {name: tuple(at.dynamic.get(name, ())) for name in sorted(dynamic_names(definitions))}
    return Target(as_of=at.now, parts=parts, dynamic=dynamic)


def _everything(order: Iterable[AssetSnapshot], at: Moment) -> dict[str, Subset]:
    return {asset.key.to_user_string(): subsets.of_range(0, size(asset.partitions, at)) for asset in order}


def _followed(order: Sequence[AssetSnapshot], wanted: Sequence[str] | KeyRange, at: Moment) -> dict[str, Subset]:
    by_key = {asset.key: asset for asset in order if asset.partitions is not None}
    above = {asset.key: [dep for dep in asset.deps if dep.key != asset.key and dep.key in by_key] for asset in by_key.values()}
    root = _root([asset for asset in by_key.values() if not above[asset.key]])
    named = _named(root, wanted, at)
    found: dict[str, Subset] = {}
    for asset in order:
        name = asset.key.to_user_string()
        if asset.partitions is None:
            found[name] = subsets.of_range(0, 1)
        elif not above[asset.key]:
            found[name] = named
        else:
            found[name] = subsets.union(
                dependents(found[dep.key.to_user_string()], by_key[dep.key].partitions, asset.partitions, dep.mapping, at)
                for dep in above[asset.key]
            )
    return found


def _root(roots: Iterable[AssetSnapshot]) -> Partitions:
    """The partitions of the assets that come first."""
    names: dict[Partitions, list[str]] = {}
    for asset in roots:
        if asset.partitions is not None:
            names.setdefault(asset.partitions, []).append(asset.key.to_user_string())
    if not names:
        raise refused(Problem(path="partitions", message='these assets are not partitioned; give "all"', expected='"all"'))
    if len(names) > 1:
        said = "; ".join(f"{', '.join(found)}: {partitions.describe(definition)}" for definition, found in names.items())
        message = f'the first of these assets have different partitions ({said}); give "all", or ask for a backfill of each'
        raise refused(Problem(path="partitions", message=message, expected='"all"'))
    return next(iter(names))


def _named(definition: Partitions, wanted: Sequence[str] | KeyRange, at: Moment) -> Subset:
    """The ordinals of keys, or of a range, that a person typed."""
    texts = {"partitions.start": wanted.start, "partitions.end": wanted.end} if isinstance(wanted, KeyRange) else {
        f"partitions[{place}]": text for place, text in enumerate(wanted)
    }  # fmt: skip
    if not texts:
        raise refused(Problem(path="partitions", message='the list is empty; name at least one partition, or give "all"', value=[]))
    dimensions = partitions.dimensions(definition)
    keys = {path: parse_partition(text, dimensions) for path, text in texts.items()}
    try:
        found = ordinals_of(definition, keys.values(), at)
    except ValueError:
        missing = {path: texts[path] for path, key in keys.items() if not partitions.contains(definition, key, at.now, at.dynamic)}
        raise refused(*(_unknown(path, text, definition, at) for path, text in missing.items())) from None
    if not isinstance(wanted, KeyRange):
        return found
    start, end = (next(iter(ordinals_of(definition, [keys[path]], at))) for path in ("partitions.start", "partitions.end"))
    if end < start:
        message = f"the range ends ({wanted.end!r}) before it begins ({wanted.start!r})"
        raise refused(Problem(path="partitions.end", message=message, value=wanted.end))
    return subsets.of_range(start, end + 1)


def _unknown(path: str, text: str, definition: Partitions, at: Moment) -> Problem:
    total = size(definition, at)
    last = subsets.to_keys(definition, subsets.of_range(max(0, total - _NEAREST_AMONG), total), at.now, at.dynamic)
    close = nearest(text, [format_partition(key) or "" for key in last])
    described = partitions.describe(definition)
    message = f"there is no partition {text!r} ({described})" + (f"; did you mean {close!r}?" if close else "")
    return Problem(path=path, message=message, value=text, expected=described, suggestion=close)
