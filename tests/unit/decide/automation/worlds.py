"""A little world in which conditions are evaluated: events happen, ticks ask for partitions, and text says what is expected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dagwright_shared.decide.automation import evaluation, pacing
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.evaluation import Tick
from dagwright_shared.decide.automation.facts import Facts, RunFacts, Update
from dagwright_shared.decide.automation.graph import Entity, EntityGraph, EntityKey
from dagwright_shared.decide.automation.kept import FULL
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Nodes
from dagwright_shared.decide.automation.pacing import News
from dagwright_shared.decide.automation.watch import Aspect, Event, watch
from dagwright_shared.model import dependents, subsets
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.subsets import EMPTY, Subset

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class World:
    """Implements `FactsPort`."""

    graph: EntityGraph
    now: datetime = START
    known: dict[EntityKey, Subset] = field(default_factory=dict)
    failed: dict[EntityKey, Subset] = field(default_factory=dict)
    going_on: dict[EntityKey, Subset] = field(default_factory=dict)
    passed: dict[EntityKey, bool] = field(default_factory=dict)
    updates: dict[EntityKey, list[Update]] = field(default_factory=dict)
    mark: int = 0
    events: set[Event] = field(default_factory=set)

    def read(self, keys: Collection[EntityKey]) -> Mapping[EntityKey, Facts]:
        return {key: self._facts(key) for key in keys}

    def _facts(self, key: EntityKey) -> Facts:
        known = self.known.get(key, EMPTY)
        good = self.passed.get(key)
        newest = self.updates.get(key, [])[-1:]
        return Facts(
            last=newest[0].partitions if newest else EMPTY,
            last_run=newest[0].run if newest else None,
            known=known,
            failed=self.failed.get(key, EMPTY),
            in_progress=self.going_on.get(key, EMPTY),
            updates=tuple(self.updates.get(key, ())),
            passed=FULL if good else EMPTY,
            not_passed=FULL if good is False else EMPTY,
        )

    def make(self, key: EntityKey, ordinal: int = 0, *, with_targets: Iterable[EntityKey] = ()) -> None:
        place = subsets.of_range(ordinal, ordinal + 1)
        self.mark += 1
        self.known[key] = self.known.get(key, EMPTY) | place
        self.failed[key] = self.failed.get(key, EMPTY) - place
        run = RunFacts(targets=frozenset(with_targets))
        made = Update(mark=self.mark, at=self.now.timestamp(), partitions=place, run=run)
        self.updates.setdefault(key, []).append(made)
        self.events.add((key, Aspect.DATA))

    def fail(self, key: EntityKey, ordinal: int = 0) -> None:
        self.failed[key] = self.failed.get(key, EMPTY) | subsets.of_range(ordinal, ordinal + 1)
        self.events.add((key, Aspect.DATA))

    def run(self, key: EntityKey, ordinal: int = 0) -> None:
        self.going_on[key] = self.going_on.get(key, EMPTY) | subsets.of_range(ordinal, ordinal + 1)
        self.events.add((key, Aspect.RUN))

    def end(self, key: EntityKey, ordinal: int = 0) -> None:
        self.going_on[key] = self.going_on.get(key, EMPTY) - subsets.of_range(ordinal, ordinal + 1)
        self.events.add((key, Aspect.RUN))

    def judge(self, key: AssetCheckKey, *, passed: bool) -> None:
        self.passed[key] = passed
        self.make(key)


class Evaluator:
    """Ticks over a world, of all conditions or of those that something concerns."""

    def __init__(self, world: World, *, incremental: bool) -> None:
        self.world, self._incremental = world, incremental
        self.nodes = Nodes()
        self.watch = watch(world.graph, world.graph.keys(), self.nodes)
        self.cursors: dict[EntityKey, Cursor] = {}
        self._restless: frozenset[EntityKey] = self.watch.roots
        self._last = world.now
        self.evaluated = 0

    def tick(self, events: Iterable[Event] = ()) -> dict[EntityKey, Subset]:
        """What is requested, by key."""
        world = self.world
        moment = Moment(world.graph, world.now, {}, world)
        tick = Tick(moment=moment, cursors=dict(self.cursors), mark=world.mark, nodes=self.nodes)
        if self._incremental:
            news = News(events=frozenset(events), timed=frozenset(self.watch.ticked(self._last, world.now)), restless=self._restless)
            at = dependents.Moment(now=world.now)
            keys = pacing.due(world.graph, self.watch, self.cursors, news, at, timedelta(0)).keys
            evaluation.evaluate(tick, keys, self.watch.wanting)
        else:
            evaluation.evaluate(tick, self.watch.roots)
        self._last = world.now
        self.cursors |= {key: found.cursor for key, found in tick.evaluated.items()}
        restless = {key for key, found in tick.evaluated.items() if found.restless}
        restless |= {other for key, found in tick.evaluated.items() if found.requested for other in self.watch.wanting(key)}
        self._restless = frozenset(restless)
        self.evaluated += len(tick.evaluated)
        return {key: subset for key, subset in tick.requested.items() if subset}


def entity(name: str, condition: object = None, *parents: str, **more: object) -> Entity:
    node = getattr(condition, "node", None)
    above = tuple(sorted(AssetKey(parent) for parent in parents))
    return Entity(key=AssetKey(name), location="l", condition=node, parents=above, **more)  # type: ignore[arg-type]


def timeline(world: World, text: str) -> None:
    """Play lines `+seconds | events | what is requested then`; events are `make a`, `run a`, `end a`, `fail a`.

    Each line is a tick of all conditions; what it asks for is a comma-separated list.
    """
    evaluator = Evaluator(world, incremental=False)
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        wait, happened, expected = (part.strip() for part in line.split("|"))
        world.now += timedelta(seconds=float(wait.removeprefix("+").removesuffix("s")))
        for event in filter(None, map(str.strip, happened.split(","))):
            verb, *names = event.split()
            targets = [AssetKey(name) for name in names]
            for key in targets:
                if verb == "make":
                    world.make(key, with_targets=targets)
                else:
                    getattr(world, verb)(key)
        asked = ", ".join(sorted(key.to_user_string() for key in evaluator.tick()))
        assert asked == expected, f"line {number}: {line!r} asked for {asked or 'nothing'}"
