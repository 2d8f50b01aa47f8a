"""Putting the definitions of a location together: everything by key and name, and what only shows in the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from dagwright.authoring import automation_default, mapping_fit, requirements, signatures
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.executors import ExecutorDefinition, multiprocess_executor
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.local_graph import LocalGraph
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.requirements import CheckOwner
from dagwright.authoring.schedules import PartitionedSchedule, ScheduleDefinition
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetCheckSpec, AssetSpec
from dagwright.authoring.targets import Target
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.selection import unknown_keys
from dagwright_shared.model.snapshot import AssetExecution, MappingKind, TriggerTarget


@dataclass(frozen=True, kw_only=True, eq=False)
class ResolvedDefinitions:
    """The definitions of a location, checked as a whole."""

    assets: tuple[AssetsDefinition, ...]
    checks: tuple[AssetChecksDefinition, ...]
    jobs_by_name: Mapping[str, JobDefinition]
    schedules: tuple[ScheduleDefinition, ...]
    sensors: tuple[SensorDefinition, ...]
    resources: Mapping[str, Any]
    """By key; those that assets bring along included."""
    executor: ExecutorDefinition
    metadata: Metadata
    graph: LocalGraph
    loggers: Mapping[str, Any]
    """By key; they receive the records of runs of jobs that have none of their own."""

    @property
    def assets_by_key(self) -> Mapping[AssetKey, AssetsDefinition]:
        """Every asset, external ones and those that only `deps=` name included."""
        return self.graph.assets_by_key

    @property
    def checks_by_key(self) -> Mapping[AssetCheckKey, CheckOwner]:
        """The definition whose op evaluates a check."""
        return self.graph.checks_by_key

    @cached_property
    def schedules_by_name(self) -> Mapping[str, ScheduleDefinition]:
        return {item.name: item for item in self.schedules}

    @cached_property
    def sensors_by_name(self) -> Mapping[str, SensorDefinition]:
        return {item.name: item for item in self.sensors}

    def check_spec(self, key: AssetCheckKey) -> AssetCheckSpec:
        return next(spec for spec in self.checks_by_key[key].check_specs if spec.key == key)

    def trigger_target(self, target: Target) -> TriggerTarget:
        """What a schedule's or sensor's target is, now that all is known."""
        if target.job_name is not None:
            return TriggerTarget(job_name=target.job_name)
        if target.selection is None:
            return TriggerTarget()
        keys = sorted(key for key in target.selection.resolve(self.graph) if self.graph.is_executable(key))
        return TriggerTarget(asset_keys=tuple(keys), check_keys=tuple(sorted(target.selection.resolve_checks(self.graph))))

    def target_partitions(self, target: Target) -> PartitionsDefinition | None:
        """The partitions of a target, where it has one definition of them."""
        if target.job_name is not None:
            job = self.jobs_by_name.get(target.job_name)
            return job.partitions_def if job else None
        return self.graph.shared_partitions(self.trigger_target(target).asset_keys)

    def sensor_targets(self, sensor: SensorDefinition) -> Mapping[str | None, TriggerTarget]:
        return {target.job_name: self.trigger_target(target) for target in sensor.targets}


def resolve(
    *,
    assets: Sequence[AssetsDefinition],
    checks: Sequence[AssetChecksDefinition],
    jobs: Sequence[JobDefinition | UnresolvedAssetJobDefinition],
    schedules: Sequence[ScheduleDefinition | PartitionedSchedule],
    sensors: Sequence[SensorDefinition],
    resources: Mapping[str, Any],
    executor: ExecutorDefinition | None,
    metadata: Metadata,
    loggers: Mapping[str, Any] | None = None,
) -> ResolvedDefinitions:
    """Check everything as a whole.

    Raises:
        DefinitionError: for the first thing that does not fit.
    """
    assets = _once_external(_distinct(assets))
    checks = _distinct(checks)
    assets = _named_apart(assets)
    known = _unique_keys(assets)
    assets = _connect(assets, known)
    _unique_checks(assets, checks)
    _unique_op_names(assets, checks)
    graph = LocalGraph((*assets, *_stubs(assets, checks)), checks)
    _no_cycle(assets, graph)
    mapping_fit.check(assets, graph)
    every_resource = requirements.gather(resources, (*assets, *checks))
    jobs_by_name = _jobs(jobs, schedules, sensors, graph)
    fixed = tuple(
        item.resolve(jobs_by_name[item.job.name].partitions_def) if isinstance(item, PartitionedSchedule) else item
        for item in _distinct(schedules)
    )
    sensors = (*_distinct(sensors), *automation_default.sensors(assets, graph, sensors))
    _unique_names([*fixed, *sensors], "schedule or sensor")
    requirements.check(assets, checks, jobs_by_name.values(), fixed, sensors, every_resource)
    resolved = ResolvedDefinitions(
        assets=assets,
        checks=checks,
        jobs_by_name=jobs_by_name,
        schedules=fixed,
        sensors=sensors,
        resources=every_resource,
        executor=executor or multiprocess_executor,
        metadata=metadata,
        graph=graph,
        loggers=dict(loggers or {}),
    )
    for item in (*fixed, *sensors):
        for target in [item.target] if isinstance(item, ScheduleDefinition) else item.targets:
            _check_target(item, target, resolved)
    return resolved


def _distinct(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({id(item): item for item in items}.values())


# ---- assets


def _named_apart(assets: Sequence[AssetsDefinition]) -> tuple[AssetsDefinition, ...]:
    """Assets whose ops have the same name, as those of two folders that were loaded under different prefixes, are named by their keys."""
    count = Counter(each.name for each in assets if each.is_executable)
    return tuple(each.named_by_key() if each.is_executable and count[each.name] > 1 and len(each.specs) == 1 else each for each in assets)


def _once_external(assets: Sequence[AssetsDefinition]) -> tuple[AssetsDefinition, ...]:
    """Two modules may both say that something elsewhere makes an asset; the first that says so describes it."""
    seen: set[AssetKey] = set()
    kept = []
    for definition in assets:
        if not definition.is_executable and definition.keys <= seen:
            continue
        if definition.execution is AssetExecution.EXTERNAL:
            seen |= definition.keys
        kept.append(definition)
    return tuple(kept)


def _unique_keys(assets: Sequence[AssetsDefinition]) -> dict[AssetKey, AssetsDefinition]:
    known: dict[AssetKey, AssetsDefinition] = {}
    for definition in assets:
        for spec in definition.specs:
            other = known.get(spec.key)
            if other is not None:
                first = other.specs_by_key[spec.key].source or other.source
                raise DefinitionError(
                    f"the asset {spec.key.to_user_string()} is defined twice: at {first} and at {spec.source or definition.source}",
                    source=definition.source,
                    mend="rename one of them (name= or key_prefix=), or pass it to Definitions once",
                )
            known[spec.key] = definition
    return known


def _connect(assets: Sequence[AssetsDefinition], known: Mapping[AssetKey, AssetsDefinition]) -> tuple[AssetsDefinition, ...]:
    """Every argument must name an asset; one that does by its last component, in its own group, is taken to mean that."""
    by_name: dict[tuple[str, str], list[AssetKey]] | None = None
    connected = []
    for definition in assets:
        missing = {name: key for name, key in definition.loaded_by_input_name.items() if key not in known}
        if not missing:
            connected.append(definition)
            continue
        if by_name is None:
            by_name = {}
            for key, owner in known.items():
                by_name.setdefault((owner.specs_by_key[key].group, key.path[-1]), []).append(key)
        renamed: dict[AssetKey, AssetKey] = {}
        dropped: set[str] = set()
        for name, key in missing.items():
            similar = {match for spec in definition.specs for match in by_name.get((spec.group, key.path[-1]), ()) if len(key.path) == 1}
            if len(similar - definition.keys) == 1:
                renamed[key] = next(iter(similar - definition.keys))
            elif definition.op is not None and name in definition.op.ins and definition.op.ins[name].has_default:
                dropped.add(name)
            else:
                raise _missing_upstream(definition, name, key, known)
        connected.append(_without(definition.with_keys(renamed) if renamed else definition, dropped))
    return tuple(connected)


def _without(definition: AssetsDefinition, inputs: AbstractSet[str]) -> AssetsDefinition:
    """The definition without upstreams that do not exist and whose arguments have defaults."""
    if not inputs:
        return definition
    gone = {definition.loaded_by_input_name[name] for name in inputs}
    return definition._copy(
        specs=tuple(spec.replace_attributes(deps=[dep for dep in spec.deps if dep.asset_key not in gone]) for spec in definition.specs),
        loaded_by_input_name={name: key for name, key in definition.loaded_by_input_name.items() if name not in inputs},
    )


def _missing_upstream(definition: AssetsDefinition, name: str, key: AssetKey, known: Iterable[AssetKey]) -> DefinitionError:
    wanted, makes = key.to_user_string(), ", ".join(one.to_user_string() for one in definition.keys)
    texts = [k.to_user_string() for k in known]
    close = nearest(wanted, texts) or nearest(key.path[-1], [k.rpartition("/")[2] for k in texts])
    close = next((text for text in texts if text == close or text.rpartition("/")[2] == close), None)
    hint = f"did you mean {close!r}? " if close else ""
    annotation = definition.op.ins[name].dagster_type if definition.op is not None and name in definition.op.ins else None
    usual = (
        f"{hint}Rename the argument, name the key in ins={{{name!r}: AssetIn(key=...)}}, "
        f"or add AssetSpec({wanted!r}) if something else makes it"
    )
    return DefinitionError(
        f"asset {makes} loads the asset {wanted!r} by its argument `{name}`, but no such asset is defined",
        source=definition.source,
        mend=signatures.mend_argument(annotation, usual),
    )


def _stubs(assets: Sequence[AssetsDefinition], checks: Sequence[AssetChecksDefinition]) -> list[AssetsDefinition]:
    """External assets for keys that only dependencies of order and checks name: something elsewhere makes them."""
    known = {spec.key for definition in assets for spec in definition.specs}
    wanted: dict[AssetKey, None] = {}
    for definition in assets:
        for spec in definition.specs:
            wanted.update((dep.asset_key, None) for dep in spec.deps if dep.asset_key not in known)
    for check in checks:
        named = [key for spec in check.check_specs for key in (spec.asset_key, *(dep.asset_key for dep in spec.additional_deps))]
        wanted.update((key, None) for key in (*named, *check.loaded_by_input_name.values()) if key not in known)
    return [AssetsDefinition(specs=(_stub(key),), execution=AssetExecution.EXTERNAL) for key in wanted]


def _stub(key: AssetKey) -> AssetSpec:
    spec = AssetSpec(key)
    object.__setattr__(spec, "source", None)
    return spec


def _no_cycle(assets: Sequence[AssetsDefinition], graph: LocalGraph) -> None:
    for definition in assets:
        for spec in definition.specs:
            for dep in spec.deps:
                if dep.asset_key == spec.key and not _looks_back(spec, dep.partition_mapping):
                    raise DefinitionError(
                        f"the asset {spec.key.to_user_string()} depends on itself",
                        source=definition.source,
                        mend="remove it, or load an earlier partition: TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)",
                    )
    path = graph.topology.cycle()
    if path:
        definition = graph.assets_by_key[path[0]]
        raise DefinitionError(
            f"assets depend on each other in a circle: {' -> '.join(key.to_user_string() for key in path)}",
            source=definition.source,
            mend="remove one of these dependencies",
        )


def _looks_back(spec: AssetSpec, mapping: Any) -> bool:
    if spec.partitions_def is None or mapping is None:
        return False
    data = mapping.to_model()
    return bool(data.kind is MappingKind.TIME_WINDOW and data.end_offset < 0)


# ---- checks and names


def _unique_checks(assets: Sequence[AssetsDefinition], checks: Sequence[AssetChecksDefinition]) -> None:
    seen: dict[AssetCheckKey, CheckOwner] = {}
    owners: tuple[CheckOwner, ...] = (*assets, *checks)
    for owner in owners:
        for spec in owner.check_specs:
            if spec.key in seen:
                raise DefinitionError(
                    f"the check {spec.key.to_user_string()} is defined twice: at {seen[spec.key].source} and at {owner.source}",
                    source=owner.source,
                    mend="rename one of them (name=)",
                )
            seen[spec.key] = owner


def _unique_op_names(assets: Sequence[AssetsDefinition], checks: Sequence[AssetChecksDefinition]) -> None:
    seen: dict[str, CheckOwner] = {}
    owners: tuple[CheckOwner, ...] = (*(a for a in assets if a.is_executable), *checks)
    for owner in owners:
        other = seen.get(owner.name)
        if other is not None:
            raise DefinitionError(
                f"{owner!r} and {other!r} (defined at {other.source}) are both computed by an op named {owner.name!r}",
                source=owner.source,
                mend="rename one of them (name=)",
            )
        seen[owner.name] = owner


def _unique_names(items: Sequence[Any], kind: str) -> None:
    seen: dict[str, Any] = {}
    for item in items:
        other = seen.get(item.name)
        if other is not None and other is not item:
            raise DefinitionError(
                f"two definitions of a {kind} have the name {item.name!r}: at {other.source} and at {item.source}",
                source=item.source,
                mend="rename one of them (name=)",
            )
        seen[item.name] = item


# ---- jobs and targets


def _jobs(
    jobs: Sequence[JobDefinition | UnresolvedAssetJobDefinition],
    schedules: Sequence[ScheduleDefinition | PartitionedSchedule],
    sensors: Sequence[SensorDefinition],
    graph: LocalGraph,
) -> dict[str, JobDefinition]:
    """Jobs by name; those that schedules and sensors carry are included."""
    carried = [item.job if isinstance(item, PartitionedSchedule) else item.target.job for item in schedules]
    carried.extend(target.job for sensor in sensors for target in sensor.targets)
    every = _distinct([*jobs, *(job for job in carried if job is not None)])
    _unique_names(every, "job")
    return {job.name: _asset_job(job, graph) if isinstance(job, UnresolvedAssetJobDefinition) else job for job in every}


def _asset_job(job: UnresolvedAssetJobDefinition, graph: LocalGraph) -> JobDefinition:
    what = f"job {job.name!r}"
    _known_keys(what, job.selection, graph, job.source)
    chosen = job.selection.resolve(graph)
    keys = tuple(sorted(key for key in chosen if graph.is_executable(key)))
    checks = tuple(sorted(job.selection.resolve_checks(graph)))
    if chosen and not keys and not checks:
        raise DefinitionError(
            f"the selection of {what} has external assets only: {requirements.some_of(key.to_user_string() for key in chosen)}",
            source=job.source,
            mend="select assets that a function of yours computes",
        )
    if job.partitions_def is not None:
        for key in keys:
            own = graph.spec(key).partitions_def
            if own is not None and own != job.partitions_def:
                raise DefinitionError(
                    f"{what} is partitioned by {job.partitions_def}, but its asset {key.to_user_string()} by {own}",
                    source=job.source,
                    mend="select assets of one partitions definition",
                )
    return JobDefinition(
        name=job.name,
        asset_keys=keys,
        check_keys=checks,
        description=job.description,
        executor_def=job.executor_def,
        config=job.config,
        partitions_def=job.partitions_def or graph.shared_partitions(keys),
        tags=job.tags,
        run_tags=job.run_tags,
        metadata=job.metadata,
        owners=job.owners,
        op_retry_policy=job.op_retry_policy,
        hook_defs=job.hook_defs,
        partitioned_config=job.partitioned_config,
        source=job.source,
    )


def _known_keys(what: str, selection: AssetSelection, graph: LocalGraph, source: SourceRef | None) -> None:
    # Keys are checked; a pattern or an attribute may match nothing yet: assets of a group can come later.
    for key in unknown_keys(selection.node, graph):
        close = nearest(key.to_user_string(), map(AssetKey.to_user_string, graph.topology.keys()))
        raise DefinitionError(
            f"{what} selects the asset {key.to_user_string()}, but no such asset is defined",
            source=source,
            mend=f"did you mean {close!r}?" if close else "add it to assets= of Definitions",
        )


def _check_target(item: ScheduleDefinition | SensorDefinition, target: Target, resolved: ResolvedDefinitions) -> None:
    what = f"{'schedule' if isinstance(item, ScheduleDefinition) else 'sensor'} {item.name!r}"
    if target.job_name is not None and target.job_name not in resolved.jobs_by_name:
        close = nearest(target.job_name, resolved.jobs_by_name)
        raise DefinitionError(
            f"{what} runs the job {target.job_name!r}, but no such job is defined",
            source=item.source,
            mend=f"did you mean {close!r}?" if close else f"the jobs are {requirements.some_of(resolved.jobs_by_name)}",
        )
    if isinstance(item, ScheduleDefinition) and target.selection is not None:  # a sensor may name assets of other locations
        _known_keys(what, target.selection, resolved.graph, item.source)
