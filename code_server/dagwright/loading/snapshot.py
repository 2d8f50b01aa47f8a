"""From definitions to the snapshot that every other process knows them by. Pure, and linear in their number."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib import metadata as packages
from typing import Any

from dagwright.authoring import resource_schema
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.automation import AutomationCondition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.requirements import CheckOwner
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.schedules import DefaultScheduleStatus, ScheduleDefinition
from dagwright.authoring.sensors import DefaultSensorStatus, SensorDefinition
from dagwright.authoring.signatures import EMPTY, type_name
from dagwright.authoring.specs import AssetCheckSpec, AssetSpec
from dagwright.loading import job_snapshot, type_edges
from dagwright_shared.model.automation import Condition
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.metadata import described_metadata
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetSnapshot,
    CheckSnapshot,
    LocationSnapshot,
    ScheduleSnapshot,
    SensorSnapshot,
)


def build(definitions: Definitions, location: LocationName) -> LocationSnapshot:
    """The snapshot of a location; equal definitions give equal snapshots.

    Raises:
        DefinitionError: the definitions do not fit together, or a config type has no JSON Schema.
    """
    resolved = definitions.resolve()
    assets = tuple(sorted(_assets(resolved), key=lambda asset: asset.key))
    resources = tuple(resource_schema.snapshot(key, resolved.resources) for key in sorted(resolved.resources))
    return LocationSnapshot(
        location=location,
        dagwright_version=_version(),
        python_version=platform.python_version(),
        assets=assets,
        checks=tuple(sorted(_checks(resolved), key=lambda check: check.key)),
        jobs=tuple(job_snapshot.of_job(resolved.jobs_by_name[name], resolved, resources) for name in sorted(resolved.jobs_by_name)),
        schedules=tuple(_schedule(item, resolved) for item in sorted(resolved.schedules, key=lambda item: item.name)),
        sensors=tuple(_sensor(item, resolved) for item in sorted(resolved.sensors, key=lambda item: item.name)),
        resources=resources,
        metadata=resolved.metadata,
        warnings=tuple(type_edges.warnings(resolved)),
    )


def _assets(resolved: ResolvedDefinitions) -> Iterable[AssetSnapshot]:
    for key, definition in resolved.assets_by_key.items():
        yield _asset(key, definition, definition.specs_by_key[key], resolved)


def _asset(key: AssetKey, definition: AssetsDefinition, spec: AssetSpec, resolved: ResolvedDefinitions) -> AssetSnapshot:
    op = definition.op
    output_name = definition.output_names_by_key.get(key)
    out = op.outs.get(output_name) if op is not None and output_name is not None else None
    return AssetSnapshot(
        key=key,
        execution=definition.execution,
        description=spec.description,
        group=spec.group,
        owners=tuple(spec.owners),
        tags=spec.tags,
        kinds=tuple(sorted(spec.kinds)),
        metadata=described_metadata(spec.metadata),
        code_version=spec.code_version,
        deps=_deps(definition, spec),
        partitions=spec.partitions_def.to_model() if spec.partitions_def is not None else None,
        op_name=definition.name if definition.is_executable else None,
        output_name=output_name,
        can_subset=definition.can_subset,
        config_schema=op.config_schema if op is not None else None,
        resource_keys=tuple(sorted(op.required_resource_keys)) if op is not None else (),
        io_manager_key=definition.io_manager_key_of(key),
        retry_policy=op.retry_policy.to_model() if op is not None and op.retry_policy is not None else None,
        pool=op.pool if op is not None else None,
        type_name=type_name(out.dagster_type) if out is not None and out.dagster_type is not None else None,
        source=spec.source,
        automation=_automation(spec, f"asset {key.to_user_string()}", resolved),
        freshness=spec.freshness_policy.to_model() if spec.freshness_policy is not None else None,
        backfill=definition.backfill_policy.to_model() if definition.backfill_policy is not None else None,
    )


def _automation(spec: AssetSpec | AssetCheckSpec, of: str, resolved: ResolvedDefinitions) -> Condition | None:
    condition: AutomationCondition | None = spec.automation_condition
    return None if condition is None else condition.to_model(resolved.graph, of, spec.source)


def _deps(definition: AssetsDefinition, spec: AssetSpec) -> tuple[AssetDepSnapshot, ...]:
    if not spec.deps:
        return ()
    inputs = {key: name for name, key in definition.loaded_by_input_name.items()}
    found = []
    for dep in spec.deps:
        name = inputs.get(dep.asset_key)
        kind = definition.op.ins[name].dagster_type if definition.op is not None and name is not None else None
        mapping = dep.partition_mapping or definition.partition_mappings.get(dep.asset_key)
        found.append(
            AssetDepSnapshot(
                key=dep.asset_key,
                input_name=name,
                mapping=mapping.to_model() if mapping is not None else None,
                type_name=None if kind is None or kind is EMPTY else type_name(kind),
            )
        )
    return tuple(found)


def _checks(resolved: ResolvedDefinitions) -> Iterable[CheckSnapshot]:
    owners: tuple[CheckOwner, ...] = (*resolved.assets, *resolved.checks)
    for definition in owners:
        for spec in definition.check_specs:
            yield _check(definition, spec, resolved)


def _check(definition: AssetsDefinition | AssetChecksDefinition, spec: AssetCheckSpec, resolved: ResolvedDefinitions) -> CheckSnapshot:
    others = {dep.asset_key for dep in spec.additional_deps}
    if isinstance(definition, AssetChecksDefinition):
        others.update(definition.loaded_by_input_name.values())
    return CheckSnapshot(
        key=spec.key,
        description=spec.description,
        blocking=spec.blocking,
        metadata=described_metadata(spec.metadata),
        op_name=definition.name,
        additional_deps=tuple(sorted(others - {spec.asset_key})),
        config_schema=definition.op.config_schema if definition.op is not None else None,
        source=spec.source or definition.source,
        automation=_automation(spec, f"check {spec.key.to_user_string()}", resolved),
    )


def _schedule(item: ScheduleDefinition, resolved: ResolvedDefinitions) -> ScheduleSnapshot:
    return ScheduleSnapshot(
        name=item.name,
        cron=item.crons,
        timezone=item.timezone,
        target=resolved.trigger_target(item.target),
        description=item.description,
        default_running=item.default_status is DefaultScheduleStatus.RUNNING,
        evaluated=item.fn is not None or item.partitioned,
        config=item.run_config,
        tags=item.tags,
        missed_ticks=item.missed_ticks,
        max_missed_ticks=item.max_missed_ticks,
        overlap=item.overlap,
        resource_keys=tuple(sorted(item.required_resource_keys)),
        partitioned=item.partitioned,
        metadata=item.metadata,
        owners=tuple(item.owners or ()),
        source=item.source,
    )


def _sensor(item: SensorDefinition, resolved: ResolvedDefinitions) -> SensorSnapshot:
    targets: Sequence[Any] = [resolved.trigger_target(target) for target in item.targets]
    return SensorSnapshot(
        name=item.name,
        kind=item.kind,
        targets=tuple(targets),
        description=item.description,
        default_running=item.default_status is DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=item.minimum_interval_seconds,
        overlap=item.overlap,
        resource_keys=tuple(sorted(item.required_resource_keys)),
        tags=item.tags,
        metadata=item.metadata,
        owners=tuple(item.owners or ()),
        source=item.source,
        **item.watched(resolved.graph),
    )


def _version() -> str:
    try:
        return packages.version("dagwright")
    except packages.PackageNotFoundError:
        return "unknown"
