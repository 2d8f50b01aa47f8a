"""One tick: the conditions of many assets and checks, evaluated at one moment, parents before children."""

from __future__ import annotations

import heapq
from collections import ChainMap, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace

from dagwright_shared.decide.automation import kept, operands, operators
from dagwright_shared.decide.automation.cursor import Cursor, NodeState
from dagwright_shared.decide.automation.graph import Entity, EntityGraph, EntityKey
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import PASSING, Node, Nodes, state_key
from dagwright_shared.decide.automation.result import Result
from dagwright_shared.decide.automation.scope import Scope
from dagwright_shared.model.automation import Condition, Operand, Operator, OperatorKind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.subsets import EMPTY, Subset

_PLAIN = frozenset({OperatorKind.AND, OperatorKind.OR, OperatorKind.NOT})
"""Operators that ask their parts of the same entity and remember nothing themselves."""
_AHEAD = 100
"""The facts of so many that may be asked for next are read at first, and then of twice as many each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What came of one condition."""

    key: EntityKey
    result: Result | None
    """The whole tree; None of one that is not told (see `Tick.tells_all`)."""
    requested: Subset
    cursor: Cursor
    held: bool = False
    """Whether something was not requested only because it was a moment ago."""
    restless: bool = False
    """Whether the next tick may answer otherwise though nothing happens: something is true for one tick only."""


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
    held: Mapping[EntityKey, Subset] = field(default_factory=dict)
    """Not to be requested again now."""
    tells_all: bool = True
    """Whether the trees of those are kept too that requested nothing; ten thousand of them weigh."""
    evaluated: dict[EntityKey, Evaluated] = field(default_factory=dict)
    requested: dict[EntityKey, Subset] = field(default_factory=dict)
    """All that is to be made, also what must be made together with it."""

    def evaluate(self, entity: Entity) -> Evaluated | None:
        """The condition of one entity. None: it has none."""
        condition = entity.condition or self.default_condition
        if condition is None:
            return None
        moment, node, scope = self.moment, self.nodes.of(condition), self._scope(entity)
        before = scope.cursor
        result = ask(scope, node, entity.key, moment.full(entity.key))
        requested = result.true - self.held.get(entity.key, EMPTY)
        asked = scope.keep(entity.key, requested)
        cursor = Cursor(
            fingerprint=node.id,
            shape=kept.shape(entity.partitions),
            mark=self.mark,
            at=moment.now,
            requested=asked,
            nodes=_states(entity, result),
            asked=asked if requested or before is None else before.asked,
            asked_at=moment.now.timestamp() if requested else None if before is None else before.asked_at,
        )
        restless = bool(requested) or before is None or _passes(result)
        found = Evaluated(
            key=entity.key,
            result=result if requested or self.tells_all else None,
            requested=requested,
            cursor=cursor,
            held=requested != result.true,
            restless=restless,
        )
        self.evaluated[entity.key] = found
        if requested:
            self._request(entity, requested)
        return found

    def remember(self, entity: Entity) -> dict[str, NodeState]:
        """What the condition of one entity has to remember of this tick; of its parts, only those are asked that remember something."""
        condition = entity.condition or self.default_condition
        assert condition is not None
        scope, full = self._scope(entity), self.moment.full(entity.key)
        found: dict[str, NodeState] = {}
        for part in _remembering(self.nodes.of(condition)):
            found.update(_states(entity, ask(scope, part, entity.key, full)))
        return found

    def _scope(self, entity: Entity) -> Scope:
        return Scope(
            moment=self.moment,
            root=entity,
            requested=self.requested,
            cursors=self.cursors,
            cursor=self.cursors.get(entity.key),
            nodes=self.nodes,
            ask=ask,
        )

    def _request(self, entity: Entity, subset: Subset) -> None:
        self.requested[entity.key] = self.requested.get(entity.key, EMPTY) | subset
        for sibling in entity.siblings:
            if sibling != entity.key and sibling in self.moment.graph:
                other = self.moment.to_upstream(subset, entity.key, sibling)
                self.requested[sibling] = self.requested.get(sibling, EMPTY) | other


def evaluate(tick: Tick, keys: Iterable[EntityKey], concerns: Callable[[EntityKey], Collection[EntityKey]] = lambda _: ()) -> Tick:
    """Evaluate the conditions of these in the order of the graph.

    Args:
        concerns: whose conditions look at whether an entity is requested. They are evaluated too, where their turn is still to come.
    """
    graph, rank = tick.moment.graph, tick.moment.graph.rank
    wanted = {key for key in keys if key in rank}
    tick.moment.need(_with_near(graph, wanted))
    order = {rank[key]: key for key in wanted}
    places = sorted(order)
    ahead = _AHEAD
    while places:
        place = heapq.heappop(places)
        entity = graph[order[place]]
        found = tick.evaluate(entity)
        if found is None or not found.requested:
            continue
        for key in {entity.key, *entity.siblings}:
            for other in concerns(key):
                if other not in wanted and rank.get(other, -1) > place:
                    if not tick.moment.knows(other):
                        waiting = (order[at] for at in places)
                        tick.moment.need(_with_near(graph, _following((other, *waiting), concerns, tick.moment, ahead)))
                        ahead *= 2
                    wanted.add(other)
                    order[rank[other]] = other
                    heapq.heappush(places, rank[other])
    return tick


def settle(tick: Tick) -> None:
    """Have the conditions that asked for something take that in at once.

    Otherwise they would in the next tick, together with whatever has happened by then: an upstream that was updated meanwhile would
    count as handled by a request that was made before.
    """
    asked = {key: found for key, found in tick.evaluated.items() if found.requested}
    cursors = ChainMap({key: found.cursor for key, found in asked.items()}, dict(tick.cursors))
    again = Tick(moment=tick.moment, cursors=cursors, mark=tick.mark, nodes=tick.nodes, default_condition=tick.default_condition)
    for key, found in asked.items():
        entity = tick.moment.graph[key]
        nodes = again.remember(entity)
        tick.evaluated[key] = replace(found, cursor=replace(found.cursor, nodes=nodes, handled=True))


def _with_near(graph: EntityGraph, keys: Iterable[EntityKey]) -> list[EntityKey]:
    """These, and what most conditions look at besides."""
    return [*dict.fromkeys(near for key in keys if key in graph for near in (key, *graph[key].parents, *graph[key].checks))]


def _following(
    first: Iterable[EntityKey], concerns: Callable[[EntityKey], Collection[EntityKey]], moment: Moment, limit: int
) -> list[EntityKey]:
    """What may be asked for next if these are asked for, and so on, as far as it is not known: facts of a chain are read at once, not
    link by link."""
    seen = set(first)
    waiting = deque(seen)
    found = [key for key in seen if not moment.knows(key)]
    while waiting and len(found) < limit:
        for other in concerns(waiting.popleft()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
                if not moment.knows(other):
                    found.append(other)
    return found


def ask(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    """Evaluate one part of a condition."""
    if not candidates and not node.stateful:
        return Result(node, key, node.name, EMPTY, EMPTY)
    if not isinstance(node.condition, Operand):
        return operators.evaluate(scope, node, key, candidates)
    if node.above:
        return operators.any_downstream(scope, node, key, candidates)
    return operands.evaluate(scope, node, key, candidates)


def _states(entity: Entity, result: Result) -> dict[str, NodeState]:
    return {state_key(part.node, part.key, entity.key): state for part, state in result.remembered()}


def _remembering(node: Node) -> Iterator[Node]:
    """The topmost parts that remember something: whatever stands beside them, they come out the same, since they look at all partitions."""
    if isinstance(node.condition, Operator) and node.condition.kind in _PLAIN:
        for child in node.children:
            yield from _remembering(child)
    elif node.stateful:
        yield node


def _passes(result: Result) -> bool:
    """Whether a part is true that will not be in the next tick."""
    if result.true and result.node.condition.kind in PASSING:
        return True
    for child in result.children:  # noqa: SIM110 - a generator for each of a hundred thousand parts is what takes the time
        if child.node.fleeting and _passes(child):
            return True
    return False
