"""What the automation loop knows of a sensor between its ticks. All of it can be had from the database again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from dagwright_daemon.automation_held import Held
from dagwright_shared.decide.automation import explain, pacing, watch
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.evaluation import Tick
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.node import Nodes
from dagwright_shared.decide.automation.pacing import News
from dagwright_shared.decide.automation.watch import Aspect, Clock, Event, Watch
from dagwright_shared.model import cron
from dagwright_shared.model.keys import AssetKey, Digest
from dagwright_shared.model.snapshot import SensorSnapshot
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import automation, automation_facts, backfills
from dagwright_shared.store.automation import SensorState
from dagwright_shared.store.automation_facts import Changes
from dagwright_shared.store.backfills import Underway

_FEW, _DEPTH = 500, 100
"""The trees of so many evaluations in one tick are told in full."""
_ROUNDS = 8
"""After so many ticks in a row in which nothing happened, what is still restless waits for the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was found at the begin of a tick."""

    snapshot: str
    news: News
    underway: tuple[Underway, ...]
    dynamic: Mapping[str, tuple[int, int]]
    settling: bool
    """Whether nothing has happened: only what was restless is asked again."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """Of one sensor."""

    instigator_id: int
    graph: EntityGraph
    digest: Digest
    watch: Watch
    tick: int
    snapshot: str | None
    cursors: dict[EntityKey, Cursor]
    gone: Collection[EntityKey]
    """Those that have a cursor and no condition any more."""
    restless: frozenset[EntityKey]
    later: dict[EntityKey, datetime] = field(default_factory=dict)
    """What was held back, and until when."""
    clocks: dict[Clock, datetime] = field(default_factory=dict)
    underway: Mapping[AssetKey, tuple[tuple[str, Subset], ...]] = field(default_factory=dict)
    dynamic: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    told: dict[EntityKey, int] = field(default_factory=dict)
    """A hash of the newest tree of each."""
    held: dict[AssetKey, Held] = field(default_factory=dict)
    rounds: int = 0

    @staticmethod
    def load(
        conn: Connection, instigator_id: int, state: SensorState, graph: EntityGraph, digest: Digest, sensor: SensorSnapshot, nodes: Nodes
    ) -> Memory:
        """Everything anew; all conditions of the sensor are due."""
        targets: list[EntityKey] = [*sensor.asset_keys, *sensor.check_keys]
        index = watch.watch(graph, targets, nodes, sensor.default_condition)
        cursors = {}
        for key, data in automation.load_cursors(conn, instigator_id).items():
            cursors[key] = Cursor.from_json(data)
        return Memory(
            instigator_id=instigator_id,
            graph=graph,
            digest=digest,
            watch=index,
            tick=state.tick,
            snapshot=state.snapshot,
            cursors={key: cursor for key, cursor in cursors.items() if key in index.roots},
            gone=cursors.keys() - index.roots,
            restless=index.roots,
        )

    def read(self, conn: Connection, now: datetime) -> Read:
        """What has happened since the tick before."""
        changes = Changes() if self.snapshot is None else automation_facts.changes(conn, self.snapshot)
        underway = tuple(backfills.underway(conn))
        dynamic = automation_facts.dynamic_marks(conn, self.watch.dynamic)
        events = {*_events(changes, self.graph), *self._changed_backfills(underway)}
        timed = {key for key, at in self.later.items() if at <= now}
        timed |= {root for clock, at in self.clocks.items() if at <= now for root in self.watch.clocks[clock]}
        timed |= {root for name, mark in dynamic.items() if self.dynamic.get(name) != mark for root in self.watch.dynamic[name]}
        concerned = any(self.watch.events.get(event) for event in events)
        return Read(
            snapshot=automation_facts.current_snapshot(conn),
            news=News(events=frozenset(events), timed=frozenset(timed), restless=self.restless),
            underway=underway,
            dynamic=dynamic,
            settling=not concerned and not timed,
        )

    def to_save(self, tick: Tick) -> dict[EntityKey, Mapping[str, Any]]:
        """The cursors that say something new."""
        found: dict[EntityKey, Mapping[str, Any]] = {}
        for key, one in tick.evaluated.items():
            before = self.cursors.get(key)
            same = before is not None and (before.nodes, before.requested, before.asked) == (
                one.cursor.nodes, one.cursor.requested, one.cursor.asked
            )  # fmt: skip
            if not same or one.restless:
                found[key] = one.cursor.to_json()
        return found

    def to_tell(self, tick: Tick, *, settling: bool) -> list[tuple[EntityKey, int, Mapping[str, Any]]]:
        """The evaluations that people should find: those that requested something, and those that came out otherwise than before."""
        found: list[tuple[EntityKey, int, Mapping[str, Any]]] = []
        for key, one in tick.evaluated.items():
            if one.result is None or (settling and not one.requested and key in self.told):
                continue
            tree = explain.tree(tick.moment, one.result, _DEPTH if len(tick.evaluated) <= _FEW else 1)
            mark = hash(repr(tree))
            if one.requested or self.told.get(key) != mark:
                found.append((key, len(one.requested), tree))
            self.told[key] = mark
        return found

    def settle(self, read: Read, tick: Tick | None, now: datetime, interval: timedelta) -> None:
        """Take in what a tick came to, once it is committed."""
        self.snapshot, self.dynamic, self.underway = read.snapshot, read.dynamic, _by_asset(read.underway)
        for clock in self.watch.clocks:
            if clock not in self.clocks or self.clocks[clock] <= now:
                self.clocks[clock] = next(cron.after(clock[0], now, clock[1]))
        self.later = {key: at for key, at in self.later.items() if at > now}
        self.rounds = self.rounds + 1 if read.settling else 0
        if tick is None:
            self.restless = frozenset()
            return
        self.tick += 1
        self.gone = ()
        restless = set()
        for key, one in tick.evaluated.items():
            self.cursors[key] = one.cursor
            until = pacing.held_until(one, interval)
            if until is not None:
                self.later[key] = until
            if one.restless:
                restless.add(key)
            for wanting in self.watch.wanting(key) if one.requested else ():
                restless.add(wanting)  # it may ask whether this was requested in the tick before
        if self.rounds > _ROUNDS:
            self.later |= dict.fromkeys(restless, now + interval)
            restless = set()
        self.restless = frozenset(restless)

    def postpone(self, until: datetime) -> None:
        """Nothing could be written: evaluate everything again then."""
        self.later = dict.fromkeys(self.watch.roots, until)
        self.restless = frozenset()

    def alarms(self) -> set[datetime]:
        """When something is due though nothing happens."""
        return {at for at in (min(self.clocks.values(), default=None), min(self.later.values(), default=None)) if at is not None}

    def _changed_backfills(self, underway: Iterable[Underway]) -> set[Event]:
        found = _by_asset(underway)
        keys = found.keys() | self.underway.keys()
        return {(key, Aspect.BACKFILL) for key in keys if found.get(key) != self.underway.get(key)}


def _by_asset(underway: Iterable[Underway]) -> dict[AssetKey, tuple[tuple[str, Subset], ...]]:
    found: dict[AssetKey, tuple[tuple[str, Subset], ...]] = {}
    for one in underway:
        found[one.asset_key] = (*found.get(one.asset_key, ()), (one.backfill_id, one.ordinals))
    return found


def _events(changes: Changes, graph: EntityGraph) -> set[Event]:
    """What happened, as conditions look at it."""
    made: set[EntityKey] = {*changes.assets, *changes.checks}
    going_on: set[EntityKey] = {*changes.runs_of_assets, *changes.runs_of_checks}
    return {(key, Aspect.DATA) for key in made if key in graph} | {(key, Aspect.RUN) for key in going_on if key in graph}
