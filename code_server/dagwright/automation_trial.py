"""Automation conditions evaluated in a test: what would be requested, without a daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from dagwright.authoring.definitions import Definitions
from dagwright.authoring.instance import Instance
from dagwright.authoring.selections import AssetSelection
from dagwright.automation_facts import DynamicKeysOf, HistoryFacts, newest_mark
from dagwright.loading import snapshot
from dagwright_shared.decide.automation import evaluation
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.evaluation import Tick
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Nodes
from dagwright_shared.decide.automation.result import Result
from dagwright_shared.model import subsets
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetKey, LocationName, format_partition
from dagwright_shared.model.subsets import Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationCursor:
    """What the conditions remember from one evaluation to the next; give it to the next one."""

    evaluation_id: int = 0
    conditions: Mapping[EntityKey, Cursor] = field(default_factory=dict)


class PartitionsOf:
    """Partitions of an asset (or None for one without partitions): how many, and which."""

    def __init__(self, moment: Moment, key: EntityKey, subset: Subset) -> None:
        self.key = key
        self._moment, self._subset = moment, subset

    @property
    def size(self) -> int:
        return len(self._subset)

    @property
    def is_empty(self) -> bool:
        return not self._subset

    @property
    def is_partitioned(self) -> bool:
        return self._moment.graph[self.key].partitions is not None

    def expensively_compute_partition_keys(self) -> set[str]:
        """The keys; those of several dimensions joined by `|`."""
        return {key for key in self.keys if key is not None}

    @property
    def keys(self) -> set[str | None]:
        definition = self._moment.graph[self.key].partitions
        if definition is None:
            return {None} if self._subset else set()
        return {format_partition(key) for key in subsets.to_keys(definition, self._subset, self._moment.now, self._moment.dynamic)}

    def __repr__(self) -> str:
        return f"PartitionsOf({self.key.to_user_string()}, {sorted(map(str, self.keys))})"


class AutomationResult:
    """What a condition, or a part of one, came to."""

    def __init__(self, moment: Moment, result: Result) -> None:
        self._moment, self._result = moment, result

    @property
    def key(self) -> EntityKey:
        return self._result.key

    @property
    def name(self) -> str:
        return self._result.name

    @property
    def label(self) -> str | None:
        return self._result.node.condition.label

    @property
    def true_subset(self) -> PartitionsOf:
        return PartitionsOf(self._moment, self._result.key, self._result.true)

    @property
    def child_results(self) -> Sequence[AutomationResult]:
        return [AutomationResult(self._moment, child) for child in self._result.children]

    def pprint(self, indent: int = 0) -> str:
        """The tree, a line for each part, with how many partitions it is true of."""
        line = f"{' ' * indent}{self.label or self.name}: {self.true_subset.size}"
        return "\n".join([line, *(child.pprint(indent + 4) for child in self.child_results)])

    def __repr__(self) -> str:
        return self.pprint()


class EvaluateAutomationConditionsResult:
    """What `evaluate_automation_conditions` found."""

    def __init__(self, tick: Tick, cursor: AutomationCursor) -> None:
        self.cursor = cursor
        self._tick = tick

    @cached_property
    def results(self) -> Sequence[AutomationResult]:
        """One for each asset and check with a condition."""
        return [AutomationResult(self._tick.moment, found.result) for found in self._tick.evaluated.values() if found.result is not None]

    @property
    def total_requested(self) -> int:
        """How many asset partitions, and checks, the conditions ask for."""
        return sum(len(found.requested) for found in self._tick.evaluated.values())

    def get_requested_partitions(self, asset_key: Any) -> AbstractSet[str | None]:
        """The partition keys that are to be made; `{None}` of an asset without partitions."""
        subset = self._tick.requested.get(asset_key)
        if subset is None or not isinstance(asset_key, AssetKey):
            return set()
        return PartitionsOf(self._tick.moment, asset_key, subset).keys

    def get_num_requested(self, asset_key: Any) -> int:
        """How many partitions of an asset are to be made; 1 or 0 of one without partitions."""
        return len(self.get_requested_partitions(asset_key))


def evaluate_automation_conditions(
    defs: Definitions | Sequence[Any],
    instance: Instance,
    asset_selection: Any = None,
    evaluation_time: datetime | None = None,
    cursor: AutomationCursor | None = None,
) -> EvaluateAutomationConditionsResult:
    """Evaluate automation conditions as the daemon would, for a test.

    Args:
        defs: definitions, or the assets and checks themselves.
        instance: what has happened so far.
        asset_selection: whose conditions; by default all.
        evaluation_time: at which the clock stands; by default now.
        cursor: that of the result before, to evaluate several ticks.

    Raises:
        DefinitionError: the definitions do not fit together.

    Example:
        >>> import dagwright as dg
        >>> @dg.asset(automation_condition=dg.AutomationCondition.on_missing())
        ... def report() -> None: ...
        >>> instance = dg.DagsterInstance.ephemeral()
        >>> first = dg.evaluate_automation_conditions([report], instance)
        >>> second = dg.evaluate_automation_conditions([report], instance, cursor=first.cursor)
        >>> first.total_requested + second.total_requested
        0
    """
    definitions = defs if isinstance(defs, Definitions) else Definitions(assets=[*defs])
    graph = EntityGraph.of(AssetGraph([snapshot.build(definitions, LocationName("test"))]))
    keys = _wanted(definitions, graph, asset_selection)
    now = (evaluation_time or datetime.now(UTC)).astimezone(UTC)
    return evaluate(graph, keys, instance, now, cursor or AutomationCursor())


def evaluate(
    graph: EntityGraph, keys: AbstractSet[EntityKey], instance: Instance, now: datetime, cursor: AutomationCursor
) -> EvaluateAutomationConditionsResult:
    """One tick against what an instance knows."""
    dynamic = DynamicKeysOf(instance.history)
    moment = Moment(graph, now, dynamic, HistoryFacts(graph, instance.history, now, dynamic))
    tick = Tick(moment=moment, cursors=cursor.conditions, mark=newest_mark(instance.history), nodes=Nodes())
    evaluation.evaluate(tick, keys)
    cursors = {**cursor.conditions, **{key: found.cursor for key, found in tick.evaluated.items()}}
    return EvaluateAutomationConditionsResult(tick, AutomationCursor(evaluation_id=cursor.evaluation_id + 1, conditions=cursors))


def _wanted(definitions: Definitions, graph: EntityGraph, selection: Any) -> set[EntityKey]:
    conditioned = {entity.key for entity in graph.values() if entity.condition is not None}
    if selection is None:
        return conditioned
    local = definitions.resolve().graph
    chosen = AssetSelection.from_coercible(selection)
    return conditioned & {*chosen.resolve(local), *chosen.resolve_checks(local)}
