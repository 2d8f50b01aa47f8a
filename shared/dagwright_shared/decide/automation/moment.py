"""The world at the one moment at which all conditions of a tick are evaluated."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from dagwright_shared.decide.automation.facts import NOTHING, Facts, FactsPort
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.kept import FULL
from dagwright_shared.decide.automation.mapped import Mapped, across
from dagwright_shared.model import cron, subsets
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import DynamicKeys, MultiPartitions, Partitions, TimeWindowPartitions
from dagwright_shared.model.subsets import EMPTY, Subset


class Moment:
    """Facts, partitions and mappings at `now`, each computed once."""

    def __init__(self, graph: EntityGraph, now: datetime, dynamic: DynamicKeys, source: FactsPort) -> None:
        self.graph, self.now, self.dynamic = graph, now, dynamic
        self._source = source
        self._facts: dict[EntityKey, Facts] = {}
        self._full: dict[int, Subset] = {}
        self._mapped: dict[tuple[EntityKey, AssetKey], Mapped] = {}
        self._ticks: dict[tuple[str, str], datetime] = {}
        self._windows: dict[tuple[int, float | None], Subset] = {}

    def need(self, keys: Collection[EntityKey]) -> None:
        """Read the facts of these in one go, where they are not known yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._facts]
        if missing:
            found = self._source.read(missing)
            self._facts.update((key, found.get(key, NOTHING)) for key in missing)

    def knows(self, key: EntityKey) -> bool:
        """Whether its facts have been read."""
        return key in self._facts

    def facts(self, key: EntityKey) -> Facts:
        found = self._facts.get(key)
        if found is None:
            self.need((key,))
            found = self._facts[key]
        return found

    def full(self, key: EntityKey) -> Subset:
        """All partitions that exist now."""
        definition = self.graph[key].partitions
        return FULL if definition is None else self.everything(definition)

    def everything(self, definition: Partitions) -> Subset:
        found = self._full.get(id(definition))
        if found is None:
            found = self._full[id(definition)] = subsets.everything(definition, self.now, self.dynamic)
        return found

    def to_upstream(self, subset: Subset, child: EntityKey, parent: EntityKey) -> Subset:
        """What partitions of a child read of a parent."""
        above = self.graph[parent].partitions
        if not subset:
            return EMPTY
        if above is None or not isinstance(parent, AssetKey):
            return self.full(parent)
        return self._mapping(child, parent).upstream(subset)

    def to_downstream(self, subset: Subset, parent: EntityKey, child: EntityKey) -> Subset:
        """What partitions of a child read any of these of a parent."""
        if not subset:
            return EMPTY
        if self.graph[parent].partitions is None or self.graph[child].partitions is None or not isinstance(parent, AssetKey):
            return self.full(child)
        return self._mapping(child, parent).downstream(subset)

    def latest_window(self, key: EntityKey, lookback: float | None) -> Subset:
        """The partitions of the newest window of time, or of those that begin within `lookback` seconds before its end."""
        definition = self.graph[key].partitions
        if definition is None:
            return FULL
        place = (id(definition), lookback or None)
        if place not in self._windows:
            self._windows[place] = self._latest(definition, lookback)
        return self._windows[place]

    def previous_tick(self, expression: str, timezone: str) -> datetime:
        """The newest tick of a cron schedule that is not after now."""
        known = self._ticks.get((expression, timezone))
        if known is None:
            known = next(cron.before(expression, datetime.fromtimestamp(self.now.timestamp() + 1e-6, UTC), timezone))
            self._ticks[expression, timezone] = known
        return known

    def _latest(self, definition: Partitions, lookback: float | None) -> Subset:
        axes = definition.dimensions if isinstance(definition, MultiPartitions) else (("", definition),)
        if not any(isinstance(axis, TimeWindowPartitions) for _, axis in axes):
            return self.everything(definition)
        sides = []
        for _, axis in axes:
            width = parts.count(axis, self.now, self.dynamic)
            if not isinstance(axis, TimeWindowPartitions):
                sides.append((width, subsets.of_range(0, width)))
            elif not width:
                return EMPTY
            else:
                sides.append((width, subsets.of_range(self._first(axis, lookback), width)))
        return across(sides)

    def _first(self, axis: TimeWindowPartitions, lookback: float | None) -> int:
        starts = parts.window_starts(axis, self.now)
        if not lookback:
            return len(starts) - 1
        end = next(cron.after(axis.cron, starts[-1], axis.timezone))
        begin = end - timedelta(seconds=lookback)
        first = len(starts) - 1
        while first > 0 and starts[first - 1] >= begin:
            first -= 1
        return first if starts[first] >= begin else len(starts)

    def _mapping(self, child: EntityKey, parent: AssetKey) -> Mapped:
        found = self._mapped.get((child, parent))
        if found is None:
            below, above = self.graph[child], self.graph[parent]
            assert above.partitions is not None
            kind = below.mappings.get(parent)
            found = self._mapped[child, parent] = Mapped(below.partitions, above.partitions, kind, self.now, self.dynamic)
        return found
