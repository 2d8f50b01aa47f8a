"""Which conditions something that happened can change: the index that makes a tick cost what it touches, not what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from dagwright_shared.decide.automation import downstream
from dagwright_shared.decide.automation.graph import Entity, EntityGraph, EntityKey
from dagwright_shared.decide.automation.node import Node, Nodes
from dagwright_shared.model import cron
from dagwright_shared.model.automation import Condition, Operand, OperandKind, Operator, OperatorKind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, TimeWindowPartitions


class Aspect(StrEnum):
    """A kind of thing that happens to an asset or a check."""

    __hash__ = str.__hash__  # Enum's own is Python code, and the index of ten thousand assets is full of these

    DATA = "data"
    """It was made, observed or checked, or that failed."""
    RUN = "run"
    """A run that is to make it was asked for, or ended."""
    BACKFILL = "backfill"
    """The same of a backfill."""
    REQUEST = "request"
    """A condition asked for it."""


_DEPS = frozenset({OperatorKind.ANY_DEPS, OperatorKind.ALL_DEPS})
_ELSEWHERE = _DEPS | {OperatorKind.ANY_CHECKS, OperatorKind.ALL_CHECKS, OperatorKind.ON_ASSET}
Event: TypeAlias = tuple[EntityKey, Aspect]
Clock: TypeAlias = tuple[str, str]
"""A cron expression and a time zone."""

_ASPECTS: Mapping[OperandKind, tuple[Aspect, ...]] = {
    OperandKind.RUN_IN_PROGRESS: (Aspect.RUN, Aspect.DATA),
    OperandKind.BACKFILL_IN_PROGRESS: (Aspect.BACKFILL, Aspect.DATA),
    OperandKind.WILL_BE_REQUESTED: (Aspect.REQUEST,),
    OperandKind.NEWLY_REQUESTED: (Aspect.REQUEST,),
    OperandKind.INITIAL_EVALUATION: (),
    OperandKind.IN_LATEST_TIME_WINDOW: (),
    OperandKind.CRON_TICK_PASSED: (),
    OperandKind.CODE_VERSION_CHANGED: (),
}
"""Of all others it is DATA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """By what can happen: whose conditions look at it."""

    roots: frozenset[EntityKey]
    events: Mapping[Event, tuple[EntityKey, ...]]
    clocks: Mapping[Clock, tuple[EntityKey, ...]]
    """Ticks that conditions name, and those at which a partition of time begins to exist."""
    dynamic: Mapping[str, tuple[EntityKey, ...]]
    """By name of dynamic partitions: their keys."""
    fresh: Mapping[EntityKey, tuple[EntityKey, ...]]
    """By asset: how it stands by its freshness policy."""

    def concerned(self, events: Iterable[Event]) -> set[EntityKey]:
        """Whose conditions may answer otherwise after these."""
        return {root for event in events for root in self.events.get(event, ())}

    def ticked(self, since: datetime, now: datetime) -> set[EntityKey]:
        """Whose conditions may answer otherwise because of ticks after `since`, up to now."""
        passed = (clock for clock in self.clocks if next(cron.after(clock[0], since, clock[1])) <= now)
        return {root for clock in passed for root in self.clocks[clock]}

    def next_tick(self, now: datetime) -> datetime | None:
        """When the next of the ticks is that any condition looks at."""
        return min((next(cron.after(expression, now, timezone)) for expression, timezone in self.clocks), default=None)

    def wanting(self, key: EntityKey) -> Collection[EntityKey]:
        """Whose conditions look at whether this is requested."""
        return self.events.get((key, Aspect.REQUEST), ())


@dataclass(frozen=True, slots=True, eq=False)
class _Need:
    """What a condition looks at, relative to the entity of which it is asked; worked out once for all that share the condition."""

    aspects: frozenset[Aspect] = frozenset()
    clocks: frozenset[Clock] = frozenset()
    fresh: bool = False
    downstream: tuple[Node, ...] = ()
    elsewhere: tuple[tuple[Node, _Need], ...] = ()
    """The operators that look at other entities, and what at them."""


def _need(node: Node) -> _Need:
    condition = node.condition
    if isinstance(condition, Operand):
        match condition.kind:
            case OperandKind.ANY_DOWNSTREAM_CONDITIONS:
                return _Need(downstream=(node,))
            case OperandKind.CRON_TICK_PASSED:
                return _Need(clocks=frozenset({(condition.cron or "", condition.timezone or "UTC")}))
            case OperandKind.FRESHNESS_PASSED | OperandKind.FRESHNESS_WARNED | OperandKind.FRESHNESS_FAILED:
                return _Need(aspects=frozenset({Aspect.DATA}), fresh=True)
            case kind:
                return _Need(aspects=frozenset(_ASPECTS.get(kind, (Aspect.DATA,))))
    inner = _merged([_need(child) for child in node.children])
    return _Need(elsewhere=((node, inner),)) if condition.kind in _ELSEWHERE else inner


def _merged(needs: Sequence[_Need]) -> _Need:
    elsewhere: dict[object, tuple[Node, list[_Need]]] = {}
    for node, inner in (one for need in needs for one in need.elsewhere):
        assert isinstance(node.condition, Operator)
        place = (node.condition.kind in _DEPS, node.condition.kind, node.allow, node.ignore, node.condition.asset_key)
        elsewhere.setdefault(place[2:] if place[0] else place, (node, []))[1].append(inner)
    return _Need(
        aspects=frozenset().union(*(need.aspects for need in needs)),
        clocks=frozenset().union(*(need.clocks for need in needs)),
        fresh=any(need.fresh for need in needs),
        downstream=tuple(node for need in needs for node in need.downstream),
        elsewhere=tuple((node, _merged(inner)) for node, inner in elsewhere.values()),
    )


@dataclass(slots=True)
class _Found:
    """What one condition, of one root, looks at."""

    graph: EntityGraph
    nodes: Nodes
    needs: dict[int, _Need]
    events: set[Event] = field(default_factory=set)
    clocks: set[Clock] = field(default_factory=set)
    dynamic: set[str] = field(default_factory=set)
    fresh: set[EntityKey] = field(default_factory=set)

    def need(self, node: Node) -> _Need:
        found = self.needs.get(id(node))
        if found is None:
            found = self.needs[id(node)] = _need(node)
        return found

    def look(self, need: _Need, key: EntityKey, expanded: frozenset[Condition]) -> None:
        entity = self.graph.get(key)
        if entity is None:
            return
        if entity.partitions is not None:
            self._partitions(entity.partitions)
        self.clocks |= need.clocks
        for aspect in need.aspects:
            self.events.add((key, aspect))
            if isinstance(key, AssetCheckKey):
                # A result counts for the newest data only.
                self.events.add((key.asset_key, aspect))
        if need.fresh:
            self.fresh.add(key)
        for node, inner in need.elsewhere:
            for other in self._where(node, entity):
                self.look(inner, other, expanded)
        if not isinstance(key, AssetKey):
            return
        for node in need.downstream:
            hidden = expanded | node.above
            for condition, _ in downstream.conditions(self.graph, key):
                if condition not in hidden:
                    self.look(self.need(self.nodes.of(condition)), key, hidden | {condition})

    def _where(self, node: Node, entity: Entity) -> Collection[EntityKey]:
        """The entities of which the operands are asked."""
        assert isinstance(node.condition, Operator)
        match node.condition.kind:
            case OperatorKind.ANY_DEPS | OperatorKind.ALL_DEPS:
                return [one for one in entity.parents if (node.allow is None or one in node.allow) and one not in node.ignore]
            case OperatorKind.ANY_CHECKS | OperatorKind.ALL_CHECKS:
                return entity.checks
            case _:
                return () if node.condition.asset_key is None else (node.condition.asset_key,)

    def _partitions(self, definition: Partitions) -> None:
        axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
        for axis in axes:
            if isinstance(axis, TimeWindowPartitions):
                self.clocks.add((axis.cron, axis.timezone))
            elif isinstance(axis, DynamicPartitions):
                self.dynamic.add(axis.name)


def watch(graph: EntityGraph, roots: Iterable[EntityKey], nodes: Nodes, default: Condition | None = None) -> Watch:
    """The index of the conditions of these entities.

    Args:
        default: the condition of those that have none of their own.
    """
    chosen: list[EntityKey] = []
    needs: dict[int, _Need] = {}
    events: dict[Event, list[EntityKey]] = {}
    clocks: dict[Clock, list[EntityKey]] = {}
    dynamic: dict[str, list[EntityKey]] = {}
    fresh: dict[EntityKey, list[EntityKey]] = {}
    for root in roots:
        condition = (graph[root].condition or default) if root in graph else None
        if condition is None:
            continue
        chosen.append(root)
        found = _Found(graph, nodes, needs)
        found.look(found.need(nodes.of(condition)), root, frozenset({condition}))
        for event in found.events:
            events.setdefault(event, []).append(root)
        for clock in found.clocks:
            clocks.setdefault(clock, []).append(root)
        for name in found.dynamic:
            dynamic.setdefault(name, []).append(root)
        for key in found.fresh:
            fresh.setdefault(key, []).append(root)
    return Watch(
        roots=frozenset(chosen),
        events={key: tuple(found) for key, found in events.items()},
        clocks={key: tuple(found) for key, found in clocks.items()},
        dynamic={key: tuple(found) for key, found in dynamic.items()},
        fresh={key: tuple(found) for key, found in fresh.items()},
    )
