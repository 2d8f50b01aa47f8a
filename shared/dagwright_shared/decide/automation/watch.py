"""Which conditions something that happened can change: the index that makes a tick cost what it touches, not what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from dagwright_shared.decide.automation import downstream
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.node import Node, Nodes
from dagwright_shared.model import cron
from dagwright_shared.model.automation import Condition, Operand, OperandKind, Operator, OperatorKind
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, TimeWindowPartitions


class Aspect(StrEnum):
    """A kind of thing that happens to an asset or a check."""

    DATA = "data"
    """It was made, observed or checked, or that failed."""
    RUN = "run"
    """A run that is to make it was asked for, or ended."""
    BACKFILL = "backfill"
    """The same of a backfill."""
    REQUEST = "request"
    """A condition asked for it."""


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


@dataclass(slots=True)
class _Found:
    """What one condition, of one root, looks at."""

    graph: EntityGraph
    nodes: Nodes
    events: set[Event] = field(default_factory=set)
    clocks: set[Clock] = field(default_factory=set)
    dynamic: set[str] = field(default_factory=set)
    fresh: set[EntityKey] = field(default_factory=set)
    entities: set[EntityKey] = field(default_factory=set)

    def look(self, node: Node, key: EntityKey, expanded: frozenset[Condition]) -> None:
        if key not in self.graph:
            return
        if key not in self.entities:
            self.entities.add(key)
            self._partitions(self.graph[key].partitions)
        if isinstance(node.condition, Operand):
            self._operand(node, node.condition, key, expanded)
            return
        for other in self._where(node, node.condition, key):
            for child in node.children:
                self.look(child, other, expanded)

    def _where(self, node: Node, operator: Operator, key: EntityKey) -> Collection[EntityKey]:
        """The entities of which the operands are asked."""
        match operator.kind:
            case OperatorKind.ANY_DEPS | OperatorKind.ALL_DEPS:
                parents = self.graph[key].parents
                return [parent for parent in parents if (node.allow is None or parent in node.allow) and parent not in node.ignore]
            case OperatorKind.ANY_CHECKS | OperatorKind.ALL_CHECKS:
                return self.graph[key].checks
            case OperatorKind.ON_ASSET:
                return () if operator.asset_key is None else (operator.asset_key,)
            case _:
                return (key,)

    def _operand(self, node: Node, operand: Operand, key: EntityKey, expanded: frozenset[Condition]) -> None:
        match operand.kind:
            case OperandKind.ANY_DOWNSTREAM_CONDITIONS:
                hidden = expanded | node.above
                for condition, _ in downstream.conditions(self.graph, key) if isinstance(key, AssetKey) else ():
                    if condition not in hidden:
                        self.look(self.nodes.of(condition), key, hidden | {condition})
            case OperandKind.CRON_TICK_PASSED:
                self.clocks.add((operand.cron or "", operand.timezone or "UTC"))
            case OperandKind.FRESHNESS_PASSED | OperandKind.FRESHNESS_WARNED | OperandKind.FRESHNESS_FAILED:
                self.fresh.add(key)
                self.events.add((key, Aspect.DATA))
            case kind:
                self.events.update((key, aspect) for aspect in _ASPECTS.get(kind, (Aspect.DATA,)))
                if isinstance(key, AssetCheckKey):
                    # A result counts for the newest data only.
                    self.events.add((key.asset_key, Aspect.DATA))

    def _partitions(self, definition: Partitions | None) -> None:
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
    chosen = []
    events: dict[Event, list[EntityKey]] = {}
    clocks: dict[Clock, list[EntityKey]] = {}
    dynamic: dict[str, list[EntityKey]] = {}
    fresh: dict[EntityKey, list[EntityKey]] = {}
    for root in roots:
        condition = (graph[root].condition or default) if root in graph else None
        if condition is None:
            continue
        chosen.append(root)
        found = _Found(graph, nodes)
        found.look(nodes.of(condition), root, frozenset({condition}))
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
