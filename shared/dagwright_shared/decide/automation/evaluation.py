"""One tick: the conditions of many assets and checks, evaluated at one moment, parents before children."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dagwright_shared.decide.automation import kept, operands, operators
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.graph import Entity, EntityKey
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Node, Nodes, state_key
from dagwright_shared.decide.automation.result import Result
from dagwright_shared.decide.automation.scope import Scope
from dagwright_shared.model.automation import Condition, Operand
from dagwright_shared.model.subsets import EMPTY, Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What came of one condition."""

    key: EntityKey
    result: Result
    cursor: Cursor

    @property
    def requested(self) -> Subset:
        return self.result.true


@dataclass(slots=True, kw_only=True)
class Tick:
    """An evaluation under way; when it is done, its outcome."""

    moment: Moment
    cursors: Mapping[EntityKey, Cursor]
    mark: int
    """What the new cursors have seen."""
    nodes: Nodes
    default_condition: Condition | None = None
    """Of what has none of its own."""
    evaluated: dict[EntityKey, Evaluated] = field(default_factory=dict)
    requested: dict[EntityKey, Subset] = field(default_factory=dict)
    """All that is to be made, also what must be made together with it."""

    def evaluate(self, entity: Entity) -> Evaluated | None:
        """The condition of one entity. None: it has none."""
        condition = entity.condition or self.default_condition
        if condition is None:
            return None
        moment = self.moment
        scope = Scope(moment=moment, root=entity, requested=self.requested, cursors=self.cursors, nodes=self.nodes, ask=ask)
        result = ask(scope, self.nodes.of(condition), entity.key, moment.full(entity.key))
        states = {state_key(part.node, part.key, entity.key): part.state for part in result.walk() if part.state is not None}
        cursor = Cursor(
            fingerprint=self.nodes.of(condition).id,
            shape=kept.shape(entity.partitions),
            mark=self.mark,
            at=moment.now,
            requested=scope.keep(entity.key, result.true),
            nodes=states,
        )
        found = self.evaluated[entity.key] = Evaluated(key=entity.key, result=result, cursor=cursor)
        if result.true:
            self._request(entity, result.true)
        return found

    def _request(self, entity: Entity, subset: Subset) -> None:
        self.requested[entity.key] = self.requested.get(entity.key, EMPTY) | subset
        for sibling in entity.siblings:
            if sibling != entity.key and sibling in self.moment.graph:
                other = self.moment.to_upstream(subset, entity.key, sibling)
                self.requested[sibling] = self.requested.get(sibling, EMPTY) | other


def evaluate(tick: Tick, keys: Collection[EntityKey]) -> Tick:
    """Evaluate the conditions of these, in the order of the graph, and nothing else."""
    wanted = set(keys)
    graph = tick.moment.graph
    tick.moment.need(sorted({key for one in wanted if one in graph for key in (one, *graph[one].parents, *graph[one].checks)}, key=str))
    for level in graph.levels:
        for key in level:
            if key in wanted:
                tick.evaluate(graph[key])
    return tick


def ask(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    """Evaluate one part of a condition."""
    if not candidates and not node.stateful:
        return Result(node, key, node.name, EMPTY, EMPTY)
    if not isinstance(node.condition, Operand):
        return operators.evaluate(scope, node, key, candidates)
    if node.above:
        return operators.any_downstream(scope, node, key, candidates)
    return operands.evaluate(scope, node, key, candidates)
