"""The assets and checks of a deployment as automation sees them: one kind of entity, with parents, children and partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import TypeAlias

from dagwright_shared.model.automation import Condition
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.freshness import Freshness
from dagwright_shared.model.graph import AssetGraph, AssetNode
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.snapshot import AssetExecution, CheckSnapshot, MappingKind, PartitionMappingData

EntityKey: TypeAlias = AssetKey | AssetCheckKey

_TOGETHER = frozenset({MappingKind.IDENTITY, MappingKind.TIME_WINDOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An asset or a check."""

    key: EntityKey
    location: LocationName
    condition: Condition | None = None
    """When it is requested; of many entities a sensor may bring one."""
    partitions: Partitions | None = None
    parents: tuple[AssetKey, ...] = ()
    """What it depends on, sorted; of a check its asset too, of an asset that reads its own partitions itself too."""
    children: frozenset[EntityKey] = frozenset()
    mappings: Mapping[AssetKey, PartitionMappingData | None] = field(default_factory=dict)
    """How its partitions depend on those of each parent."""
    checks: tuple[AssetCheckKey, ...] = ()
    blocking: bool = False
    """Of a check."""
    materializable: bool = True
    observable: bool = False
    code_version: str | None = None
    freshness: Freshness | None = None
    siblings: tuple[EntityKey, ...] = ()
    """What is always computed together with it, itself included; empty where it can be computed alone."""


class EntityGraph(dict[EntityKey, Entity]):
    """All entities by key, and an order in which they can be evaluated. Nobody changes it once it is made.

    It is a dict since a tick looks entities up a million times.
    """

    def __init__(self, entities: Iterable[Entity]) -> None:
        found = {entity.key: entity for entity in entities}
        children: dict[EntityKey, set[EntityKey]] = {key: set() for key in found}
        for entity in found.values():
            for parent in entity.parents:
                if parent in children:
                    children[parent].add(entity.key)
        super().__init__(
            (key, replace(entity, parents=tuple(p for p in entity.parents if p in found), children=frozenset(children[key])))
            for key, entity in found.items()
        )

    @staticmethod
    def of(graph: AssetGraph) -> EntityGraph:
        """What the locations define."""
        together = _together(graph)
        checks = {check.key: check for found in graph.checks.values() for check in found if check.key.asset_key in graph}
        assets = (_asset(node, graph, together) for node in graph.nodes())
        return EntityGraph((*assets, *(_check(check, graph, together) for check in checks.values())))

    @cached_property
    def levels(self) -> Sequence[Sequence[EntityKey]]:
        """The entities by their distance from the roots; of one distance assets before checks, by name."""
        waiting = {key: sum(parent != key for parent in entity.parents) for key, entity in self.items()}
        level = [key for key, count in waiting.items() if count == 0]
        found = []
        while level:
            found.append(sorted(level, key=lambda key: (isinstance(key, AssetCheckKey), key.to_user_string())))
            following = []
            for key in level:
                for child in self[key].children:
                    if child == key:
                        continue
                    waiting[child] -= 1
                    if waiting[child] == 0:
                        following.append(child)
            level = following
        return found

    @cached_property
    def rank(self) -> Mapping[EntityKey, int]:
        """The place of each entity in the order of evaluation."""
        return {key: place for place, key in enumerate(key for level in self.levels for key in level)}

    def downstream_conditions(self, key: AssetKey) -> dict[Condition, set[AssetKey]]:
        """The conditions of all assets below one, each with the assets that have it."""
        found: dict[Condition, set[AssetKey]] = {}
        seen: set[EntityKey] = {key}
        waiting = [key]
        while waiting:
            for child in self[waiting.pop()].children:
                if child in seen or isinstance(child, AssetCheckKey):
                    continue
                seen.add(child)
                waiting.append(child)
                condition = self[child].condition
                if condition is not None:
                    found.setdefault(condition, set()).add(child)
        return found

    def runs_with(self, parent: EntityKey, child: EntityKey) -> bool:
        """Whether a run that makes the child can make the parent too, the same partition of both."""
        above, below = self[parent], self[child]
        if above.location != below.location or above.partitions != below.partitions or not above.materializable:
            return False
        if above.partitions is None:
            return True
        mapping = below.mappings.get(parent) if isinstance(parent, AssetKey) else None
        return mapping is None or mapping.kind in _TOGETHER


def _together(graph: AssetGraph) -> Mapping[tuple[LocationName, str], tuple[EntityKey, ...]]:
    """By location and op: what the op computes all at once."""
    found: dict[tuple[LocationName, str], list[EntityKey]] = {}
    for node in graph.nodes():
        if node.snapshot.op_name is not None and not node.snapshot.can_subset:
            found.setdefault((node.location, node.snapshot.op_name), []).append(node.key)
    for checks in graph.checks.values():
        for check in checks:
            place = (_location(check.key, graph), check.op_name or "")
            if place in found:
                found[place].append(check.key)
    return {place: tuple(keys) for place, keys in found.items() if len(keys) > 1}


def _location(key: AssetCheckKey, graph: AssetGraph) -> LocationName:
    return graph.asset(key.asset_key).location if key.asset_key in graph else LocationName("")


def _asset(node: AssetNode, graph: AssetGraph, together: Mapping[tuple[LocationName, str], tuple[EntityKey, ...]]) -> Entity:
    snapshot = node.snapshot
    return Entity(
        key=node.key,
        location=node.location,
        condition=snapshot.automation,
        partitions=snapshot.partitions,
        parents=tuple(sorted({dep.key for dep in snapshot.deps})),
        mappings={dep.key: dep.mapping for dep in snapshot.deps},
        checks=tuple(sorted(graph.check_keys(node.key))),
        materializable=snapshot.execution is AssetExecution.MATERIALIZE,
        observable=snapshot.execution is AssetExecution.OBSERVE,
        code_version=snapshot.code_version,
        freshness=snapshot.freshness,
        siblings=together.get((node.location, snapshot.op_name or ""), ()),
    )


def _check(check: CheckSnapshot, graph: AssetGraph, together: Mapping[tuple[LocationName, str], tuple[EntityKey, ...]]) -> Entity:
    location = _location(check.key, graph)
    return Entity(
        key=check.key,
        location=location,
        condition=check.automation,
        parents=tuple(sorted({check.key.asset_key, *check.additional_deps})),
        blocking=check.blocking,
        siblings=together.get((location, check.op_name or ""), ()),
    )
