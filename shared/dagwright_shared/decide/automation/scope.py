"""What the parts of one condition share while it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from dagwright_shared.decide.automation import kept
from dagwright_shared.decide.automation.cursor import Cursor, NodeState
from dagwright_shared.decide.automation.graph import Entity, EntityKey
from dagwright_shared.decide.automation.kept import Kept
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Node, Nodes, state_key
from dagwright_shared.decide.automation.result import Result
from dagwright_shared.model.automation import Condition
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.subsets import EMPTY, Subset


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The evaluation of the condition of one entity, the root."""

    moment: Moment
    root: Entity
    requested: Mapping[EntityKey, Subset]
    """What this tick has asked for so far."""
    cursors: Mapping[EntityKey, Cursor]
    cursor: Cursor | None
    """The root's."""
    nodes: Nodes
    ask: Callable[[Scope, Node, EntityKey, Subset], Result]
    """Evaluate a part, of some candidates of an entity."""
    expanded: frozenset[Condition] = frozenset()
    """Conditions of what is downstream that are being evaluated: they are not expanded again."""

    @cached_property
    def is_first(self) -> bool:
        """Whether the condition has not been evaluated yet, with partitions of this kind."""
        return self.cursor is None or self.cursor.shape != kept.shape(self.root.partitions)

    def state(self, node: Node, key: EntityKey) -> NodeState | None:
        """What the node remembers of an entity."""
        return None if self.cursor is None else self.cursor.nodes.get(state_key(node, key, self.root.key))

    def recall(self, key: EntityKey, subset: Kept) -> Subset:
        definition = self.moment.graph[key].partitions
        return kept.recall(definition, subset, self.moment.now, self.moment.dynamic)

    def keep(self, key: EntityKey, subset: Subset) -> Kept:
        definition = self.moment.graph[key].partitions
        return kept.keep(definition, subset, self.moment.now, self.moment.dynamic)

    def requested_before(self, key: EntityKey) -> Subset:
        """What the evaluation before asked for."""
        cursor = self.cursors.get(key)
        if cursor is None or cursor.requested is False or cursor.shape != kept.shape(self.moment.graph[key].partitions):
            return EMPTY
        if cursor.handled and key == self.root.key:
            return EMPTY
        return self.recall(key, cursor.requested)

    def requests_with_root(self, key: EntityKey) -> bool:
        """Whether a run can make this and the root."""
        if isinstance(key, AssetCheckKey):
            check = self.moment.graph[key]
            return check.location == self.root.location and check.partitions == self.root.partitions
        return isinstance(key, AssetKey) and self.moment.graph.runs_with(key, self.root.key)
