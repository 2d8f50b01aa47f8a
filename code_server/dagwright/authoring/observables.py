"""External assets that a function here looks at: what is known of them is recorded without making them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, overload

from dagwright.authoring import source as sources
from dagwright.authoring.assets import make_asset
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.automation import AutomationCondition
from dagwright.authoring.multi_assets import multi_asset
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.specs import AssetCheckSpec, AssetSpec
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import AssetExecution


@overload
def observable_source_asset(observe_fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def observable_source_asset(
    *,
    key: Any = ...,
    name: str | None = ...,
    key_prefix: str | Sequence[str] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    io_manager_key: str | None = ...,
    io_manager_def: Any = ...,
    description: str | None = ...,
    group_name: str | None = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    resource_defs: Mapping[str, Any] | None = ...,
    partitions_def: PartitionsDefinition | None = ...,
    automation_condition: Any = ...,
    freshness_policy: Any = ...,
    op_tags: Mapping[str, Any] | None = ...,
    tags: Mapping[str, str] | None = ...,
    **kwargs: Any,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...
def observable_source_asset(observe_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function that tells an external asset's `DataVersion` (or returns an `ObserveResult`) into its definition.

    Args:
        key, name, key_prefix, metadata, io_manager_key, io_manager_def, description, group_name, required_resource_keys,
            resource_defs, partitions_def, automation_condition, op_tags, tags: as for `@asset`.
        auto_observe_interval_minutes: how often it is observed without anybody asking, when its automation sensor is switched on.

    With partitions, it returns a `DataVersionsByPartition`.

    Raises:
        DefinitionError: a name, option or argument does not fit.

    Example:
        >>> from dagwright import DataVersion, observable_source_asset
        >>> @observable_source_asset(group_name="outside")
        ... def upstream_file():
        ...     return DataVersion("abc")
        >>> upstream_file.is_observable
        True
    """
    if observe_fn is not None:
        return _observed(observe_fn)
    return lambda fn: _observed(fn, **options)


def _observed(
    fn: Callable[..., Any], *, auto_observe_interval_minutes: float | None = None, legacy_freshness_policy: Any = None, **options: Any
) -> AssetsDefinition:
    if legacy_freshness_policy is not None:
        options["legacy_freshness_policy"] = legacy_freshness_policy
    if auto_observe_interval_minutes is not None:
        options["metadata"] = {**(options.get("metadata") or {}), "auto_observe_interval_minutes": auto_observe_interval_minutes}
        options.setdefault("automation_condition", every(auto_observe_interval_minutes))
    made = make_asset(fn, **options)
    return as_observation(made)


def every(minutes: float) -> AutomationCondition:
    """The condition of what is observed each so many minutes.

    Raises:
        DefinitionError: it is not a positive number.
    """
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes <= 0:
        raise DefinitionError(
            f"auto_observe_interval_minutes is {minutes!r}", source=sources.of_caller(), mend="give a number of minutes > 0"
        )
    seconds = max(1, round(minutes * 60))
    due = AutomationCondition.cron_tick_passed(f"@every {seconds}s")
    return (due & ~AutomationCondition.in_progress()).with_label(f"each {minutes:g} minutes")


def as_observation(made: AssetsDefinition) -> AssetsDefinition:
    """The same definition, whose runs observe and store nothing."""
    assert made.op is not None
    managers = {key: made.io_manager_key_of(key) for key in made.keys}
    outs = {name: out.observing() for name, out in made.op.outs.items()}
    specs = tuple(spec.replace_attributes(io_manager_key=spec.io_manager_key or managers[spec.key]) for spec in made.specs)
    return replace(made, specs=specs, op=replace(made.op, outs=outs), execution=AssetExecution.OBSERVE)


def multi_observable_source_asset(
    *,
    specs: Sequence[AssetSpec],
    name: str | None = None,
    description: str | None = None,
    partitions_def: PartitionsDefinition | None = None,
    can_subset: bool = False,
    required_resource_keys: AbstractSet[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    group_name: str | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    op_tags: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Turn a function that yields an `ObserveResult` for each of several external assets into their definition.

    Args:
        specs, name, description, partitions_def, can_subset, required_resource_keys, resource_defs, group_name, check_specs: as for
            `@multi_asset`.

    Example:
        >>> from dagwright import AssetSpec, DataVersion, ObserveResult, multi_observable_source_asset
        >>> @multi_observable_source_asset(specs=[AssetSpec("left"), AssetSpec("right")])
        ... def outside():
        ...     yield ObserveResult(asset_key="left", data_version=DataVersion("1"))
        ...     yield ObserveResult(asset_key="right", data_version=DataVersion("2"))
        >>> outside.is_observable
        True
    """
    decorate = multi_asset(
        specs=specs,
        name=name,
        description=description,
        partitions_def=partitions_def,
        can_subset=can_subset,
        required_resource_keys=required_resource_keys,
        resource_defs=resource_defs,
        group_name=group_name,
        check_specs=check_specs,
        op_tags=op_tags,
    )
    return lambda fn: as_observation(decorate(fn))
