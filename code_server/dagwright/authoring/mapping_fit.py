"""Partition mappings that cannot be between the assets that they are named for: told when the definitions are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.local_graph import LocalGraph
from dagwright.authoring.mappings import PartitionMapping
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetKey


def check(assets: Sequence[AssetsDefinition], graph: LocalGraph) -> None:
    """
    Raises:
        DefinitionError: for the first mapping that does not fit, with the place of the asset that names it.
    """
    for definition in assets:
        for spec in definition.specs if definition.is_executable else ():
            for key, mapping in _named(definition, spec):
                _check(definition, spec, key, mapping, graph)


def _named(definition: AssetsDefinition, spec: AssetSpec) -> Iterator[tuple[AssetKey, PartitionMapping]]:
    for dep in spec.deps:
        mapping = definition.partition_mappings.get(dep.asset_key) or dep.partition_mapping
        if mapping is not None:
            yield dep.asset_key, mapping


def _check(definition: AssetsDefinition, spec: AssetSpec, key: AssetKey, mapping: PartitionMapping, graph: LocalGraph) -> None:
    above = graph.spec(key).partitions_def
    if above is None or not graph.is_executable(key):
        return  # what is elsewhere may be described more loosely than it is
    try:
        mapping.validate_partition_mapping(above, spec.partitions_def)
    except DefinitionError as error:
        raise _misfit(definition, spec, key, mapping, error.message.removesuffix(f". To mend: {error.mend}"), error.mend) from error
    except Exception as error:  # of the user's own class
        raise _misfit(definition, spec, key, mapping, f"{type(error).__name__}: {error}", None) from error


def _misfit(
    definition: AssetsDefinition, spec: AssetSpec, key: AssetKey, mapping: PartitionMapping, told: str, mend: str | None
) -> DefinitionError:
    reader = spec.key.to_user_string()
    return DefinitionError(
        f"the asset {reader} reads {key.to_user_string()} by a {type(mapping).__name__}, which does not fit: {told}",
        source=spec.source or definition.source,
        mend=mend or "name another mapping",
    )
