"""The assets of one location as a graph: what selections are resolved on, and what `resolve_asset_graph` gives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.requirements import CheckOwner
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import AssetExecution


class AssetFacts(NamedTuple):
    """What selections look at."""

    group: str
    tags: Mapping[str, str]
    kinds: Collection[str]
    owners: Collection[str]
    execution: AssetExecution
    op_name: str | None


@dataclass(frozen=True, slots=True)
class AssetNode:
    """One asset among the others: what is said of it, and what is next to it."""

    key: AssetKey
    spec: AssetSpec
    assets_def: AssetsDefinition
    parent_keys: frozenset[AssetKey]
    child_keys: frozenset[AssetKey]
    check_keys: frozenset[AssetCheckKey]

    @property
    def group_name(self) -> str:
        return self.spec.group

    @property
    def is_executable(self) -> bool:
        return self.assets_def.is_executable

    @property
    def is_materializable(self) -> bool:
        return self.assets_def.is_materializable

    @property
    def is_observable(self) -> bool:
        return self.is_executable and not self.is_materializable

    @property
    def is_external(self) -> bool:
        return not self.is_materializable

    @property
    def is_partitioned(self) -> bool:
        return self.spec.partitions_def is not None

    @property
    def partitions_def(self) -> PartitionsDefinition | None:
        return self.spec.partitions_def

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.spec.metadata

    @property
    def tags(self) -> Mapping[str, str]:
        return self.spec.tags

    @property
    def owners(self) -> Sequence[str]:
        return self.spec.owners

    @property
    def kinds(self) -> Collection[str]:
        return self.spec.kinds

    @property
    def description(self) -> str | None:
        return self.spec.description

    @property
    def code_version(self) -> str | None:
        return self.spec.code_version

    @property
    def automation_condition(self) -> Any:
        return self.spec.automation_condition

    @property
    def freshness_policy(self) -> Any:
        return self.spec.freshness_policy


class LocalGraph:
    """The assets of one location as a graph that selections can be resolved on."""

    def __init__(self, assets: Sequence[AssetsDefinition], checks: Sequence[AssetChecksDefinition]) -> None:
        self.assets_by_key = {spec.key: definition for definition in assets for spec in definition.specs}
        self.checks_by_key: dict[AssetCheckKey, CheckOwner] = {}
        owners: tuple[CheckOwner, ...] = (*assets, *checks)
        for owner in owners:
            for spec in owner.check_specs:
                self.checks_by_key[spec.key] = owner
        self.topology = Topology({spec.key: [dep.asset_key for dep in spec.deps] for definition in assets for spec in definition.specs})
        self._facts: dict[AssetKey, AssetFacts] = {}
        self._checks: dict[AssetKey, list[AssetCheckKey]] = {}
        for key in self.checks_by_key:
            self._checks.setdefault(key.asset_key, []).append(key)

    def facts(self, key: AssetKey) -> AssetFacts:
        known = self._facts.get(key)
        if known is None:
            definition = self.assets_by_key[key]
            spec = definition.specs_by_key[key]
            op_name = definition.name if definition.is_executable else None
            known = self._facts[key] = AssetFacts(spec.group, spec.tags, spec.kinds, spec.owners, definition.execution, op_name)
        return known

    def check_keys(self, key: AssetKey) -> Sequence[AssetCheckKey]:
        return self._checks.get(key, ())

    def is_executable(self, key: AssetKey) -> bool:
        return self.assets_by_key[key].is_executable

    def groups(self) -> list[str]:
        return sorted({spec.group for definition in self.assets_by_key.values() for spec in definition.specs})

    def spec(self, key: AssetKey) -> AssetSpec:
        return self.assets_by_key[key].specs_by_key[key]

    def shared_partitions(self, keys: Iterable[AssetKey]) -> PartitionsDefinition | None:
        """The partitions definition of assets that are partitioned, when they have the same one."""
        found = {partitions for key in keys if (partitions := self.spec(key).partitions_def) is not None}
        return next(iter(found)) if len(found) == 1 else None

    # ---- as people look at it

    def get(self, asset_key: AssetKey) -> AssetNode:
        """One asset and its neighbours.

        Raises:
            NotFoundError: there is none; names the nearest.
        """
        if asset_key not in self.assets_by_key:
            raise NotFoundError("asset", asset_key.to_user_string(), known=(key.to_user_string() for key in self.assets_by_key))
        return AssetNode(
            key=asset_key,
            spec=self.spec(asset_key),
            assets_def=self.assets_by_key[asset_key],
            parent_keys=frozenset(self.topology.parents(asset_key)),
            child_keys=frozenset(self.topology.children(asset_key)),
            check_keys=frozenset(self.check_keys(asset_key)),
        )

    def has(self, asset_key: AssetKey) -> bool:
        return asset_key in self.assets_by_key

    @property
    def asset_nodes(self) -> Sequence[AssetNode]:
        return [self.get(key) for key in self.assets_by_key]

    def get_all_asset_keys(self) -> set[AssetKey]:
        return set(self.assets_by_key)

    @property
    def materializable_asset_keys(self) -> set[AssetKey]:
        return {key for key, definition in self.assets_by_key.items() if definition.is_materializable}

    @property
    def executable_asset_keys(self) -> set[AssetKey]:
        return {key for key in self.assets_by_key if self.is_executable(key)}

    @property
    def external_asset_keys(self) -> set[AssetKey]:
        return self.get_all_asset_keys() - self.materializable_asset_keys

    @property
    def root_materializable_asset_keys(self) -> set[AssetKey]:
        """Those that depend on none that a run here computes."""
        made = self.materializable_asset_keys
        return {key for key in made if not made & set(self.topology.parents(key))}

    @property
    def asset_check_keys(self) -> set[AssetCheckKey]:
        return set(self.checks_by_key)

    @property
    def toposorted_asset_keys(self) -> Sequence[AssetKey]:
        """Upstream first."""
        return [key for level in self.topology.levels() for key in level]
