"""The assets of a simulation: all is there at the beginning, every run succeeds, and conditions see what the daemon would see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime

from dagwright_shared.decide.automation import evaluation
from dagwright_shared.decide.automation import requests as automation_requests
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.evaluation import Tick
from dagwright_shared.decide.automation.facts import Facts, RunFacts, Update
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Nodes
from dagwright_shared.model import cron, partitions, ranges, subsets
from dagwright_shared.model.automation import Operand, walk
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.partitions import DynamicKeys, MultiPartitions, TimeWindowPartitions
from dagwright_shared.model.runs import Run
from dagwright_shared.model.snapshot import LocationSnapshot
from dagwright_shared.model.subsets import Subset
from dagwright_shared.model.ticks import RunRequestData

_ROUNDS = 5
"""Evaluations at one moment: conditions that follow each other settle within a few."""


@dataclass(slots=True)
class World:
    """What conditions look at, moved on by `run_asked` and `run_ended`."""

    graph: EntityGraph
    dynamic: DynamicKeys
    known: dict[EntityKey, Subset] = field(default_factory=dict)
    in_progress: dict[EntityKey, Subset] = field(default_factory=dict)
    updates: dict[EntityKey, tuple[Update, ...]] = field(default_factory=dict)
    cursors: dict[EntityKey, Cursor] = field(default_factory=dict)
    mark: int = 0
    nodes: Nodes = field(default_factory=Nodes)

    @staticmethod
    def at(snapshots: Iterable[LocationSnapshot], now: datetime, dynamic: DynamicKeys) -> World:
        world = World(EntityGraph.of(AssetGraph(snapshots)), dynamic)
        moment = Moment(world.graph, now, dynamic, world)
        world.known = {entity.key: moment.full(entity.key) for entity in world.graph.values()}
        world.evaluate(now)  # what the conditions compare with later; what they would ask for at once is not of this simulation
        return world

    @property
    def conditioned(self) -> list[EntityKey]:
        return [entity.key for entity in self.graph.values() if entity.condition is not None]

    def read(self, keys: Collection[EntityKey]) -> Mapping[EntityKey, Facts]:
        """Implements `FactsPort`."""
        return {
            key: Facts(
                known=self.known.get(key, subsets.EMPTY),
                in_progress=self.in_progress.get(key, subsets.EMPTY),
                passed=self.known.get(key, subsets.EMPTY) if isinstance(key, AssetCheckKey) else subsets.EMPTY,
                updates=self.updates.get(key, ()),
            )
            for key in keys
        }

    def evaluate(self, now: datetime) -> list[RunRequestData]:
        """The runs that conditions ask for now."""
        found: list[RunRequestData] = []
        keys = self.conditioned
        for _ in range(_ROUNDS if keys else 0):
            moment = Moment(self.graph, now, self.dynamic, self)
            tick = Tick(moment=moment, cursors=self.cursors, mark=self.mark, nodes=self.nodes)
            evaluation.evaluate(tick, keys)
            self.cursors |= {key: each.cursor for key, each in tick.evaluated.items()}
            asked = automation_requests.asked(self.graph, tick.requested, now, self.dynamic, tags={}, emit_backfills=False)
            found += asked.runs
            if not tick.requested:
                break
            for key, subset in tick.requested.items():
                self.in_progress[key] = self.in_progress.get(key, subsets.EMPTY) | subset
        return found

    def run_asked(self, run: Run, now: datetime) -> None:
        for key, subset in self._made(run, now):
            self.in_progress[key] = self.in_progress.get(key, subsets.EMPTY) | subset

    def run_ended(self, run: Run, now: datetime) -> None:
        self.mark += 1
        facts = RunFacts(tags=run.tags, targets=frozenset((*run.asset_keys, *run.check_keys)))
        for key, subset in self._made(run, now):
            self.in_progress[key] = self.in_progress.get(key, subsets.EMPTY) - subset
            self.known[key] = self.known.get(key, subsets.EMPTY) | subset
            update = Update(mark=self.mark, at=now.timestamp(), partitions=subset, run=facts)
            self.updates[key] = (*self.updates.get(key, ())[-20:], update)

    def run_canceled(self, run: Run, now: datetime) -> None:
        for key, subset in self._made(run, now):
            self.in_progress[key] = self.in_progress.get(key, subsets.EMPTY) - subset

    def edges(self, now: datetime) -> datetime | None:
        """When conditions may answer otherwise though nothing happens: ticks of cron, and windows that end."""
        found = []
        for key in self.conditioned:
            entity = self.graph[key]
            for part in walk(entity.condition) if entity.condition else ():
                if isinstance(part, Operand) and part.cron:
                    found.append(next(cron.after(part.cron, now, part.timezone or "UTC")))
            for other in (key, *entity.parents):
                found += _window_ends(self.graph[other].partitions, now) if other in self.graph else []
        return min(found, default=None)

    def _made(self, run: Run, now: datetime) -> Iterator[tuple[AssetKey, Subset]]:
        for key in run.asset_keys:
            if key not in self.graph:
                continue
            definition = self.graph[key].partitions
            if definition is None:
                yield key, subsets.of_range(0, 1)
                continue
            try:
                keys = ranges.keys_between(definition, run.partition, run.partition_end or run.partition, now, self.dynamic)
            except (LookupError, ValueError):
                continue
            yield key, subsets.of_keys(definition, keys, now, self.dynamic)


def _window_ends(definition: partitions.Partitions | None, now: datetime) -> list[datetime]:
    axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
    return [next(cron.after(axis.cron, now, axis.timezone)) for axis in axes if isinstance(axis, TimeWindowPartitions)]
