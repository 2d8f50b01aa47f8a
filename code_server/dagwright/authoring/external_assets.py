"""Assets that something else computes, as definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.assets import make_asset
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.observables import as_observation, every
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import AssetExecution


def external_asset(spec: AssetSpec) -> AssetsDefinition:
    """The definition of an asset that something else computes."""
    if not isinstance(spec, AssetSpec):
        raise DefinitionError(f"external_asset was given a {type(spec).__name__}", source=sources.of_caller(), mend="give an AssetSpec")
    return AssetsDefinition(specs=(spec,), execution=AssetExecution.EXTERNAL, source=spec.source)


external_asset_from_spec = external_asset


def external_assets_from_specs(specs: Iterable[AssetSpec]) -> list[AssetsDefinition]:
    """Definitions of assets that something else computes; Definitions takes the specs themselves, too."""
    return [external_asset(spec) for spec in specs]


class SourceAsset(AssetsDefinition):
    """An asset that something else computes, and that an IO manager here can load. `AssetSpec` is the newer form.

    Args:
        key: of the asset.
        metadata, group_name, description, partitions_def, tags, automation_condition: as for AssetSpec.
        io_manager_key: resource that loads it.
        io_manager_def, resource_defs: resources that it brings along.
        observe_fn: tells its `DataVersion`, as with `@observable_source_asset`.

    Example:
        >>> SourceAsset("raw/orders", group_name="raw").key.path
        ['raw', 'orders']
    """

    def __init__(
        self,
        key: Any,
        metadata: Mapping[str, Any] | None = None,
        io_manager_key: str | None = None,
        io_manager_def: Any = None,
        description: str | None = None,
        partitions_def: PartitionsDefinition | None = None,
        group_name: str | None = None,
        resource_defs: Mapping[str, Any] | None = None,
        observe_fn: Callable[..., Any] | None = None,
        op_tags: Mapping[str, Any] | None = None,
        *,
        auto_observe_interval_minutes: float | None = None,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        legacy_freshness_policy: Any = None,
        tags: Mapping[str, str] | None = None,
        _required_resource_keys: AbstractSet[str] | None = None,
    ) -> None:
        source = sources.of_caller()
        read = naming.asset_key(key, "SourceAsset", source)
        brought = dict(resource_defs or {})
        if io_manager_def is not None:
            io_manager_key = naming.identifier(read, "io_manager")
            brought[io_manager_key] = io_manager_def
        if auto_observe_interval_minutes is not None:
            metadata = {**(metadata or {}), "auto_observe_interval_minutes": auto_observe_interval_minutes}
            if automation_condition is None and observe_fn is not None:
                automation_condition = every(auto_observe_interval_minutes)
        said = {
            "metadata": metadata,
            "description": description,
            "partitions_def": partitions_def,
            "group_name": group_name,
            "tags": tags,
            "automation_condition": automation_condition,
            "freshness_policy": freshness_policy if freshness_policy is not None else legacy_freshness_policy,
        }
        if observe_fn is not None:
            made = as_observation(
                make_asset(
                    observe_fn,
                    key=read,
                    io_manager_key=io_manager_key,
                    resource_defs=brought,
                    op_tags=op_tags,
                    required_resource_keys=_required_resource_keys,
                    **said,
                )
            )
            super().__init__(**{field.name: getattr(made, field.name) for field in fields(AssetsDefinition)})
            return
        spec = AssetSpec(read, io_manager_key=io_manager_key, source=source, **said)
        super().__init__(specs=(spec,), execution=AssetExecution.EXTERNAL, resource_defs=brought, source=source)

    @property
    def description(self) -> str | None:
        return self.specs[0].description

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.specs[0].metadata

    @property
    def tags(self) -> Mapping[str, str]:
        return self.specs[0].tags

    @property
    def group_name(self) -> str | None:
        return self.specs[0].group_name
