"""Automation: conditions evaluated when something happens that they look at, with all that follows in one transaction."""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from dagwright_daemon import crash_points
from dagwright_daemon.automation_facts import Since, StoreFacts
from dagwright_daemon.automation_memory import Memory, Read
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import DynamicKeys
from dagwright_daemon.loop import IDLE, Loop, Outcome, Turn
from dagwright_shared.decide import requests
from dagwright_shared.decide.automation import evaluation, pacing
from dagwright_shared.decide.automation import requests as automation_requests
from dagwright_shared.decide.automation.evaluation import Tick
from dagwright_shared.decide.automation.graph import EntityGraph
from dagwright_shared.decide.automation.moment import Moment
from dagwright_shared.decide.automation.node import Nodes
from dagwright_shared.decide.automation.requests import Asked
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model import dependents
from dagwright_shared.model.backfills import NewBackfill, Target, dynamic_names
from dagwright_shared.model.errors import DagwrightError, error_info
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import Digest, LocationName, new_run_id
from dagwright_shared.model.runs import Trigger, TriggerKind
from dagwright_shared.model.snapshot import SensorKind, SensorSnapshot
from dagwright_shared.model.ticks import Instigator, InstigatorKind, TickStatus
from dagwright_shared.store import automation, backfills, instigators, runs
from dagwright_shared.store.automation import NewEvaluation

_FEW = 500
"""So many conditions in one tick, and each is told of, also where nothing came of it."""
_SWITCHES = frozenset({"instigators", "locations"})
"""Topics that tell of sensors that come, go or are switched."""
_SERIALIZATION_FAILURE = "40001"

log = logging.getLogger("dagwright_daemon.automation")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Ten thousand conditions make a million objects, all of which are gone again when their tick is over, and none by a cycle: to have the
    collector walk through them again and again is half of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class _TakenElsewhereError(Exception):
    """Another daemon was quicker: take back what this transaction wrote."""


class Automation:
    """Evaluates what automation sensors target; each sensor is a switch, a memory and a series of ticks of its own."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine, self._catalog = engine, catalog
        self._memories: dict[int, Memory] = {}
        self._graph: tuple[frozenset[Digest], EntityGraph] | None = None
        self._nodes = Nodes()
        self._unused = False
        """Whether the newest tick has found no sensor: until one is switched on or defined, nothing that happens matters."""

    def loop(self) -> Loop:
        topics = _SWITCHES | {"assets", "queue", "backfills", "freshness"}
        return Loop(
            name="automation", interval=30.0, rest=0.02, topics=topics, tick=self.tick, heeds=self._heeds, release=self._memories.clear
        )

    def _heeds(self, topic: str) -> bool:
        return topic in _SWITCHES or not self._unused

    def tick(self, turn: Turn) -> Outcome:
        self._unused = False  # what happens from here on may be too late for what is read now
        with self._engine.begin() as conn:
            definitions = self._catalog.current(conn)
            sensors = self._running(conn, definitions)
        self._memories = {key: memory for key, memory in self._memories.items() if key in sensors}
        if not sensors:
            self._unused = True
            return IDLE
        evaluated = asked = 0
        more, wake_at = False, set()
        for instigator, sensor in sensors.values():
            if not turn.owned():
                break
            with _uncollected():
                done = self._sensor(instigator, sensor, definitions, turn.now)
            if done is None:
                more = True
                continue
            evaluated, asked = evaluated + done[0], asked + done[1]
            memory = self._memories[instigator.instigator_id]
            more = more or bool(memory.restless)
            wake_at |= memory.alarms()
        facts = {"requested": asked, "evaluated": evaluated if asked else 0}
        return Outcome(done=asked, more=more, wake_at=frozenset(wake_at), facts=facts)

    def _running(
        self, conn: Connection, definitions: Mapping[LocationName, Definitions]
    ) -> Mapping[int, tuple[Instigator, SensorSnapshot]]:
        by_name = {
            (location, sensor.name): sensor
            for location, one in definitions.items()
            for sensor in one.snapshot.sensors
            if sensor.kind is SensorKind.AUTOMATION
        }
        known = [one for one in instigators.list(conn, kind=InstigatorKind.SENSOR) if one.running] if by_name else []
        return {one.instigator_id: (one, by_name[place]) for one in known if (place := (one.location, one.name)) in by_name}

    def _sensor(
        self, instigator: Instigator, sensor: SensorSnapshot, definitions: Mapping[LocationName, Definitions], now: datetime
    ) -> tuple[int, int] | None:
        """A tick of one sensor: how many conditions it evaluated and how many runs and backfills it asked for.

        None: another daemon was there; look again.
        """
        graph = self._graph_of(definitions)
        interval = timedelta(seconds=max(1, sensor.minimum_interval_seconds))
        own = definitions[instigator.location]
        try:
            with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn, conn.begin():
                memory = self._memory(conn, instigator, sensor, graph, own.digest)
                read = memory.read(conn, now)
                tick = self._evaluate(conn, memory, read, now, interval, sensor)
                asked = self._write(conn, memory, read, tick, instigator, sensor, own) if tick is not None else 0
                crash_points.reach("before an automation tick is committed")
        except _TakenElsewhereError:
            self._memories.pop(instigator.instigator_id, None)
            return None
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != _SERIALIZATION_FAILURE:
                raise
            self._memories.pop(instigator.instigator_id, None)
            return None
        except DagwrightError as error:
            self._fail(instigator, error, now)
            self._memories[instigator.instigator_id].postpone(now + interval)
            return 0, 0
        crash_points.reach("after an automation tick was committed")
        memory.settle(read, tick, now, interval)
        return (len(tick.evaluated) if tick is not None else 0, asked)

    def _fail(self, instigator: Instigator, error: DagwrightError, now: datetime) -> None:
        """What was asked for cannot be asked for: the tick says why, and the conditions are evaluated again after the interval."""
        facts = {"action": "tick", "sensor": instigator.name, "location": instigator.location, "error": str(error)[:500]}
        log.warning("tick failed", extra=facts)
        with self._engine.begin() as conn:
            tick_id = instigators.start_tick(conn, instigator.instigator_id, now)
            if tick_id is not None:
                instigators.finish_tick(conn, tick_id, TickStatus.FAILURE, error=error_info(error))

    def _memory(self, conn: Connection, instigator: Instigator, sensor: SensorSnapshot, graph: EntityGraph, digest: Digest) -> Memory:
        state = automation.state(conn, instigator.instigator_id)
        known = self._memories.get(instigator.instigator_id)
        if known is None or known.tick != state.tick or known.graph is not graph or known.digest != digest:
            known = Memory.load(conn, instigator.instigator_id, state, graph, digest, sensor, self._nodes)
            self._memories[instigator.instigator_id] = known
            gc.freeze()  # it lives as long as the definitions: the collector need not walk through it at every tick
        return known

    def _graph_of(self, definitions: Mapping[LocationName, Definitions]) -> EntityGraph:
        digests = frozenset(one.digest for one in definitions.values())
        if self._graph is None or self._graph[0] != digests:
            self._nodes = Nodes()
            self._graph = (digests, EntityGraph.of(AssetGraph([one.snapshot for one in definitions.values()])))
        return self._graph[1]

    def _evaluate(
        self, conn: Connection, memory: Memory, read: Read, now: datetime, interval: timedelta, sensor: SensorSnapshot
    ) -> Tick | None:
        """The conditions that what has happened concerns; None: none."""
        dynamic = DynamicKeys(conn)
        at = dependents.Moment(now=now, dynamic=dynamic)
        due = pacing.due(memory.graph, memory.watch, memory.cursors, read.news, at, interval)
        if not due.keys and not memory.gone:
            return None
        since = Since(snapshot=memory.snapshot, mark=memory.tick + 1, now=read.snapshot)
        source = StoreFacts(conn, memory.graph, at, since, read.underway, memory.held)
        tick = Tick(
            moment=Moment(memory.graph, now, dynamic, source),
            cursors=memory.cursors,
            mark=memory.tick + 1,
            nodes=self._nodes,
            default_condition=sensor.default_condition,
            held=due.held,
            tells_all=len(due.keys) <= _FEW,
        )
        evaluation.evaluate(tick, due.keys, memory.watch.wanting)
        evaluation.settle(tick)
        return tick

    def _write(
        self, conn: Connection, memory: Memory, read: Read, tick: Tick, instigator: Instigator, sensor: SensorSnapshot, own: Definitions
    ) -> int:
        """All that a tick leads to; how many runs and backfills."""
        key, now = instigator.instigator_id, tick.moment.now
        if not automation.advance(conn, key, tick=memory.tick, snapshot=read.snapshot):
            raise _TakenElsewhereError
        requested = {one: subset for one, subset in tick.requested.items() if tick.moment.graph[one].location == instigator.location}
        asked = automation_requests.asked(
            tick.moment.graph, requested, now, tick.moment.dynamic, tags=sensor.run_tags, emit_backfills=sensor.emit_backfills
        )
        tick_id = None
        if asked.runs or asked.backfill:
            tick_id = instigators.start_tick(conn, key, now)
            if tick_id is None:
                raise _TakenElsewhereError
            self._ask(conn, asked, instigator, sensor, own, tick_id, tick)
            instigators.finish_tick(conn, tick_id, TickStatus.SUCCESS)
        told = memory.to_tell(tick, settling=read.settling)
        rows = [NewEvaluation(key=one, requested=count, tree=tree) for one, count, tree in told]
        automation.add_evaluations(conn, key, tick=memory.tick + 1, tick_id=tick_id, time=now, evaluations=rows)
        automation.save_cursors(conn, key, memory.to_save(tick))
        automation.forget_cursors(conn, key, memory.gone)
        return len(asked.runs) + bool(asked.backfill)

    def _ask(
        self, conn: Connection, asked: Asked, instigator: Instigator, sensor: SensorSnapshot, own: Definitions, tick_id: int, tick: Tick
    ) -> None:
        now, dynamic = tick.moment.now, tick.moment.dynamic
        asker = Asker(kind=TriggerKind.AUTOMATION, name=sensor.name, tick_id=tick_id, scheduled_for=now, tags={})
        made = requests.new_runs(own, asker, asked.runs, make_id=new_run_id, now=now, dynamic=dynamic)
        runs.enqueue(conn, made)
        if asked.backfill:
            used = dynamic_names(tick.moment.graph[one].partitions for one in asked.backfill)
            target = Target(
                as_of=now,
                parts={one.to_user_string(): subset for one, subset in asked.backfill.items()},
                dynamic={name: tuple(dynamic[name]) for name in used},
            )
            backfill = NewBackfill(
                backfill_id=str(uuid.uuid4()),
                location=instigator.location,
                digest=own.digest,
                target=target,
                asset_keys=tuple(sorted(asked.backfill)),
                tags=sensor.run_tags,
                trigger=Trigger(kind=TriggerKind.AUTOMATION, name=sensor.name, tick_id=tick_id),
            )
            backfills.create(conn, backfill)
