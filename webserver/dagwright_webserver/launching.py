"""From a request to a run: pure checks of job, assets, partition, steps and config on the current definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from jsonschema import Draft202012Validator

from dagwright_shared.model import partitions as partitioning
from dagwright_shared.model import ranges
from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest
from dagwright_shared.model.keys import (
    UNPARTITIONED,
    AssetCheckKey,
    AssetKey,
    LocationName,
    PartitionKey,
    RunId,
    StepKey,
    format_partition,
    parse_partition,
)
from dagwright_shared.model.partitions import DynamicKeys, Partitions
from dagwright_shared.model.run_config import schema_for
from dagwright_shared.model.runs import SYSTEM_TAG_PREFIXES, NewRun, Trigger, system_tag
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot, CheckSnapshot, JobSnapshot, LocationSnapshot
from dagwright_webserver import run_config
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.schemas import CheckName, LaunchBody, RunOptions

_TITLE = "The run cannot be launched"
_NEAREST_AMONG = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request picks, found in the definitions."""

    location: LocationName
    job: JobSnapshot | None
    assets: tuple[AssetSnapshot, ...]
    checks: tuple[AssetCheckKey, ...]
    only_checks: bool = False
    """Of the checks, those and no others."""
    judged: tuple[AssetSnapshot, ...] = ()
    """Assets that are not made, of which checks look at the partition."""


def find_target(body: LaunchBody, defs: Definitions) -> Target:
    """The job or the assets that a request names.

    Raises:
        InvalidRequestError: there is no such thing, it is ambiguous, or it cannot be run.
    """
    if body.location is not None and body.location not in defs.locations:
        raise _refused(_unknown("location", "location", body.location, defs.locations))
    if body.checks is not None:
        return _find_checks(body, body.checks, defs)
    if body.job is not None:
        return _find_job(body, body.job, defs)
    if body.assets is None:
        raise _refused(Problem(path="job", message="say what to run: a `job`, `assets`, or `checks`", expected="job, assets or checks"))
    if not body.assets:
        raise _refused(Problem(path="assets", message="the list is empty; name at least one asset", value=[]))
    return _find_assets(body, body.assets, defs)


def find_assets(names: Sequence[str], location: str | None, defs: Definitions) -> tuple[Target, ...]:
    """The assets that a request of several locations names: those of each together, in the order in which they are named.

    Raises:
        InvalidRequestError: there is no such asset, it is ambiguous, or it cannot be run.
    """
    keys = _known_assets(names, location, defs)
    possible = _places(keys, location, defs)
    common = sorted(set.intersection(*possible))
    if len(common) == 1:
        return (_assets_of(common[0], keys, defs),)
    if common:
        raise _refused(_ambiguous("assets of these keys", common))
    by_place: dict[LocationName, list[AssetKey]] = {}
    for key, places in zip(keys, possible, strict=True):
        if len(places) > 1:
            raise _refused(_ambiguous(f"asset {key.to_user_string()!r}", sorted(places)))
        by_place.setdefault(next(iter(places)), []).append(key)
    return tuple(_assets_of(place, found, defs) for place, found in by_place.items())


def partitions_of(target: Target) -> tuple[Partitions, ...]:
    """The different partitions definitions of what is run; empty when unpartitioned."""
    if target.job is not None and target.job.partitions is not None:
        return (target.job.partitions,)
    return tuple(dict.fromkeys(asset.partitions for asset in (*target.assets, *target.judged) if asset.partitions is not None))


def new_run(
    body: LaunchBody, target: Target, defs: Definitions, *, run_id: RunId, trigger: Trigger, now: datetime, dynamic: DynamicKeys
) -> NewRun:
    """Check the rest of a request and make the run.

    Raises:
        InvalidRequestError: with everything that is wrong.
    """
    snapshot = defs.locations[target.location]
    problems: list[Problem] = []
    partition, partition_end = _partition(body, partitions_of(target), now, dynamic, problems)
    step_keys = _steps(body.steps, target, problems)
    priority = _priority(body, problems)
    config = body.config if body.config is not None else dict(target.job.default_config) if target.job else {}
    problems += run_config.check(_validator(defs.digests[target.location], snapshot, target), config)
    if problems:
        raise InvalidRequestError(_TITLE, problems=problems)
    return NewRun(
        run_id=run_id,
        location=target.location,
        digest=defs.digests[target.location],
        job_name=target.job.name if target.job else None,
        asset_keys=tuple(asset.key for asset in target.assets),
        check_keys=target.checks,
        only_checks=target.only_checks,
        step_keys=step_keys,
        partition=partition,
        partition_end=partition_end,
        config=config,
        tags={**(target.job.run_tags if target.job else {}), **body.tags},
        trigger=trigger,
        priority=priority,
    )


def config_problems(body: RunOptions, target: Target, defs: Definitions) -> list[Problem]:
    """What is wrong with the config; nothing when the config is left to the definitions."""
    if body.config is None:
        return []
    return list(run_config.check(_validator(defs.digests[target.location], defs.locations[target.location], target), body.config))


def _find_job(body: LaunchBody, name: str, defs: Definitions) -> Target:
    found = [(place, job) for place, job in defs.jobs.get(name, ()) if body.location in (None, place)]
    if not found:
        known = [job for job, places in defs.jobs.items() if body.location is None or any(place == body.location for place, _ in places)]
        raise _refused(_unknown("job", "job", name, known, where=body.location))
    if len(found) > 1:
        raise _refused(_ambiguous(f"job {name!r}", [place for place, _ in found]))
    place, job = found[0]
    wanted = job.asset_keys
    checks = job.check_keys
    if body.assets is not None:
        known_keys = {key.to_user_string(): key for key in job.asset_keys}
        problems = [
            _unknown(f"assets[{n}]", "asset", key, known_keys, where=f"job {name}")
            for n, key in enumerate(body.assets)
            if key not in known_keys
        ]
        if problems or not body.assets:
            raise _refused(
                *problems or [Problem(path="assets", message="the list is empty; leave it out for all assets of the job", value=[])]
            )
        wanted = tuple(dict.fromkeys(known_keys[key] for key in body.assets))
        checks = tuple(key for key in job.check_keys if key.asset_key in wanted)
    by_key = {asset.key: asset for asset in defs.locations[place].assets} if wanted else {}
    assets = tuple(by_key[key] for key in wanted if key in by_key)
    if body.assets is not None:
        _check_siblings(assets, by_key.values())
    return Target(location=place, job=job, assets=assets, checks=checks)


def _find_assets(body: LaunchBody, names: Sequence[str], defs: Definitions) -> Target:
    keys = _known_assets(names, body.location, defs)
    return _assets_of(_common_location(keys, body.location, defs), keys, defs)


def _known_assets(names: Sequence[str], location: str | None, defs: Definitions) -> list[AssetKey]:
    """The keys of assets that can be made, each once."""
    by_text = {key.to_user_string(): key for key in defs.assets}
    problems, keys = [], []
    for number, name in enumerate(names):
        path, key = f"assets[{number}]", by_text.get(name)
        places = [asset for place, asset in defs.assets.get(key, ()) if location in (None, place)] if key else []
        if key is None or not places:
            problems.append(_unknown(path, "asset", name, by_text, where=location))
        elif not any(_can_run(asset) for asset in places):
            message = f"asset {name!r} is external: it is made outside dagwright and cannot be materialized here"
            problems.append(Problem(path=path, message=message, value=name))
        else:
            keys.append(key)
    if problems:
        raise _refused(*problems)
    return list(dict.fromkeys(keys))


def _assets_of(place: LocationName, keys: Sequence[AssetKey], defs: Definitions) -> Target:
    by_key = {asset.key: asset for asset in defs.locations[place].assets}
    assets = tuple(by_key[key] for key in keys)
    _check_siblings(assets, by_key.values())
    checks = tuple(check.key for key in keys for at, check in defs.checks.get(key, ()) if at == place)
    return Target(location=place, job=None, assets=assets, checks=checks)


def _find_checks(body: LaunchBody, names: Sequence[CheckName], defs: Definitions) -> Target:
    """Checks by themselves, or those that are wanted of the assets that are made."""
    if body.job is not None:
        raise _refused(Problem(path="checks", message="checks are chosen of assets; leave `job` out", value=body.job))
    if not names:
        raise _refused(Problem(path="checks", message="the list is empty; leave it out for all checks of the assets", value=[]))
    by_text = {key.to_user_string(): key for key in defs.assets}
    problems, found = [], []
    for number, each in enumerate(names):
        key = by_text.get(each.asset)
        known = [(place, check) for place, check in defs.checks.get(key, ()) if body.location in (None, place)] if key else []
        places = {place: check for place, check in known if check.key.name == each.name}
        if key is None:
            problems.append(_unknown(f"checks[{number}].asset", "asset", each.asset, by_text))
        elif not places:
            others = [check.key.name for _, check in known]
            problems.append(_unknown(f"checks[{number}].name", "check", each.name, others, where=f"asset {each.asset}"))
        else:
            found.append(places)
    if problems:
        raise _refused(*problems)
    common = sorted(set.intersection(*map(set, found)))
    target = _find_assets(body, body.assets, defs) if body.assets else None
    if target is not None and target.location not in common:
        raise _refused(
            Problem(path="checks", message=f"location {target.location!r}, which the assets are of, has not all of these checks")
        )
    if target is None and len(common) != 1:
        message = "one request takes checks of one location, and these are of several; ask for those of each by themselves"
        raise _refused(_ambiguous("checks of these names", common) if common else Problem(path="checks", message=message))
    target = target or Target(location=common[0], job=None, assets=(), checks=())
    checks = tuple({places[target.location].key: places[target.location] for places in found}.values())
    return _judging(target, checks, {asset.key: asset for asset in defs.locations[target.location].assets})


def _judging(target: Target, checks: Sequence[CheckSnapshot], by_key: Mapping[AssetKey, AssetSnapshot]) -> Target:
    made = {asset.key for asset in target.assets}
    judged = {check.key.asset_key: by_key[check.key.asset_key] for check in checks if check.key.asset_key not in made}
    problems = []
    for check in checks:
        asset = judged.get(check.key.asset_key)
        if asset is not None and check.op_name == asset.op_name and not asset.can_subset:
            made_by = asset.key.to_user_string()
            message = f"check {check.key.name!r} is a part of what makes {made_by}; name the asset in `assets` to make and judge it"
            problems.append(Problem(path="checks", message=message, value=check.key.to_user_string()))
    if problems:
        raise _refused(*problems)
    return replace(target, checks=tuple(check.key for check in checks), only_checks=True, judged=tuple(judged.values()))


def _common_location(keys: Sequence[AssetKey], location: str | None, defs: Definitions) -> LocationName:
    possible = _places(keys, location, defs)
    common = sorted(set.intersection(*possible))
    if len(common) == 1:
        return common[0]
    if common:
        raise _refused(_ambiguous("assets of these keys", common))
    owners = "; ".join(f"{key.to_user_string()} is in {', '.join(sorted(places))}" for key, places in zip(keys, possible, strict=True))
    message = f"one request takes assets of one location, and these are of several: {owners}. Ask for those of each location by themselves"
    raise _refused(Problem(path="assets", message=message, value=[key.to_user_string() for key in keys]))


def _places(keys: Sequence[AssetKey], location: str | None, defs: Definitions) -> list[set[LocationName]]:
    """Which locations make each of these."""
    return [{place for place, asset in defs.assets[key] if _can_run(asset) and location in (None, place)} for key in keys]


def _can_run(asset: AssetSnapshot) -> bool:
    return asset.op_name is not None and asset.execution is not AssetExecution.EXTERNAL


def _check_siblings(assets: Sequence[AssetSnapshot], everything: Iterable[AssetSnapshot]) -> None:
    """Assets of one op that cannot be made separately must be picked together."""
    whole = {asset.op_name for asset in assets if not asset.can_subset and asset.op_name is not None}
    picked = {asset.key for asset in assets}
    left_out: dict[str, list[str]] = {}
    for asset in everything:
        if asset.op_name in whole and asset.key not in picked:
            left_out.setdefault(str(asset.op_name), []).append(asset.key.to_user_string())
    problems = []
    for op, missing in left_out.items():
        names = ", ".join(missing)
        message = f"op {op!r} makes its assets together; add {names} (or define it with can_subset=True)"
        problems.append(Problem(path="assets", message=message, expected=names))
    if problems:
        raise _refused(*problems)


_Ends: TypeAlias = tuple[PartitionKey, PartitionKey | None]


def _partition(body: LaunchBody, definitions: Sequence[Partitions], now: datetime, dynamic: DynamicKeys, problems: list[Problem]) -> _Ends:
    """The partition, or the ends of the range, that a request names."""
    given = body.partition
    if not definitions:
        if given is not None:
            value = given if isinstance(given, str) else given.model_dump()
            problems.append(Problem(path="partition", message="it is not partitioned; leave `partition` out", value=value))
        return UNPARTITIONED, None
    if given is None:
        described = "; and ".join(partitioning.describe(each) for each in definitions)
        last = partitioning.last_key(definitions[0], now, dynamic)
        newest = format_partition(last) if last else None
        message = f"a partition is required ({described})" + (f"; the newest is {newest!r}" if newest else "; none exists yet")
        problems.append(Problem(path="partition", message=message, expected=described, suggestion=newest))
        return UNPARTITIONED, None
    ends = {"partition": given} if isinstance(given, str) else {"partition.start": given.start, "partition.end": given.end}
    before = len(problems)
    for path, text in ends.items():
        problems += unknown_partition(path, text, definitions, now, dynamic)
    first, *rest = (parse_partition(text, partitioning.dimensions(definitions[0])) for text in ends.values())
    if rest and len(problems) == before and not ranges.keys_between(definitions[0], first, rest[0], now, dynamic):
        message = f"the range {ranges.format_range(first, rest[0])} ends before it begins ({partitioning.describe(definitions[0])})"
        problems.append(Problem(path="partition", message=message, value=ends, expected="a range whose first key comes first"))
    return first, rest[0] if rest else None


def unknown_partition(path: str, given: str, definitions: Sequence[Partitions], now: datetime, dynamic: DynamicKeys) -> Iterator[Problem]:
    """What is wrong with a key: the first of the definitions that lacks it."""
    for definition in definitions:
        if partitioning.contains(definition, parse_partition(given, partitioning.dimensions(definition)), now, dynamic):
            continue
        known = [format_partition(key) or "" for key in partitioning.keys(definition, now, dynamic)[-_NEAREST_AMONG:]]
        close = nearest(given, known)
        described = partitioning.describe(definition)
        message = f"there is no partition {given!r} ({described})"
        if len(definitions) > 1:
            message += ", which some of these assets are partitioned by; launch assets of different partitions separately"
        message += f"; did you mean {close!r}?" if close else ""
        yield Problem(path=path, message=message, value=given, expected=described, suggestion=close)
        return


def _steps(given: Sequence[str] | None, target: Target, problems: list[Problem]) -> tuple[StepKey, ...]:
    if given is None:
        return ()
    known = [node.handle for node in target.job.nodes] if target.job else []
    known += [asset.op_name for asset in target.assets if asset.op_name]
    problems += [_unknown(f"steps[{n}]", "step", step, known) for n, step in enumerate(given) if step not in known]
    if not given:
        problems.append(Problem(path="steps", message="the list is empty; leave it out for all steps", value=[]))
    return tuple(StepKey(step) for step in dict.fromkeys(given))


def _priority(body: LaunchBody, problems: list[Problem]) -> int:
    text = system_tag(body.tags, "priority")
    if body.priority is not None or text is None:
        return body.priority or 0
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is not a whole number"
        tag = next(f"{prefix}priority" for prefix in SYSTEM_TAG_PREFIXES if f"{prefix}priority" in body.tags)
        problems.append(Problem(path=f"tags.{tag}", message=message, value=text, expected="a whole number"))
        return 0


_validators: dict[tuple[str, str | None, tuple[AssetKey, ...], tuple[AssetCheckKey, ...]], Draft202012Validator] = {}


def _validator(digest: str, snapshot: LocationSnapshot, target: Target) -> Draft202012Validator:
    keys = () if target.job else tuple(asset.key for asset in target.assets)
    name = (digest, target.job.name if target.job else None, keys, target.checks)
    found = _validators.get(name)
    if found is None:
        schema = target.job.config_schema if target.job else schema_for(snapshot, keys, target.checks)
        if len(_validators) > 500:
            _validators.clear()
        found = _validators[name] = run_config.validator(schema)
    return found


def _unknown(path: str, kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> Problem:
    close = nearest(name, known)
    message = f"there is no {kind} {name!r}" + (f" in {where}" if where else "") + (f"; did you mean {close!r}?" if close else "")
    return Problem(path=path, message=message, value=name, expected=f"the name of a known {kind}", suggestion=close)


def _ambiguous(what: str, places: Sequence[str]) -> Problem:
    names = ", ".join(places)
    return Problem(
        path="location", message=f"{what} exists in several locations: {names}; say which by `location`", expected=f"one of {names}"
    )


def _refused(*problems: Problem) -> InvalidRequestError:
    return InvalidRequestError(_TITLE, problems=problems)
