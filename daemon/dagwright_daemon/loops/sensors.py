"""Sensors: evaluated by user code once in each minimum interval, with a cursor that moves only when its tick succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import Evaluator, Work
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide import requests, sensors
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.runs import TriggerKind
from dagwright_shared.model.snapshot import SensorKind, SensorSnapshot
from dagwright_shared.model.ticks import Evaluation, Instigator, InstigatorKind, SensorQuestion
from dagwright_shared.store import instigators, run_list

_BATCH = 200


class Sensors:
    """Evaluates sensors with a function of their own; those of automation conditions have their own loop."""

    def __init__(self, engine: Engine, servers: CodeServers, catalog: Catalog, *, timeout: float) -> None:
        """
        Args:
            timeout: seconds that a sensor's function may take.
        """
        self._engine, self._servers, self._catalog, self._timeout = engine, servers, catalog, timeout
        self._evaluator = Evaluator(engine, "sensor")

    def loop(self) -> Loop:
        topics = frozenset({"instigators", "locations"})
        return Loop(name="sensors", interval=5.0, rest=0.1, topics=topics, tick=self.tick, release=self._evaluator.close)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            running = self._running(conn)
            works = self._left_open(conn, running) if running else []
        redone, due, later = len(works), [], set()
        for key, (instigator, sensor, definitions) in running.items():
            if self._evaluator.is_busy(key) or any(work.instigator.instigator_id == key for work in works):
                continue
            if sensors.is_due(sensor, instigator, turn.now):
                due.append((instigator, sensor, definitions))
            elif (moment := sensors.next_time(sensor, instigator)) is not None:
                later.add(moment)
        for start in range(0, len(due), _BATCH):
            if turn.owned():
                works += self._claim(due[start : start + _BATCH], turn.now)
        self._evaluator.take(works)
        wake_at = frozenset(later) | self._evaluator.resume(turn.now)
        # No facts: a sensor that has nothing to say each half minute is no news.
        return Outcome(done=len(works), wake_at=wake_at, facts={"redone": redone})

    def _running(self, conn: Connection) -> Mapping[int, tuple[Instigator, SensorSnapshot, Definitions]]:
        found = {}
        known = [one for one in instigators.list(conn, kind=InstigatorKind.SENSOR) if one.running]
        definitions = self._catalog.current(conn) if known else {}
        by_name = {(location, sensor.name): sensor for location, one in definitions.items() for sensor in one.snapshot.sensors}
        for instigator in known:
            sensor = by_name.get((instigator.location, instigator.name))
            if sensor is not None and sensor.kind is not SensorKind.AUTOMATION:
                found[instigator.instigator_id] = (instigator, sensor, definitions[instigator.location])
        return found

    def _claim(self, due: list[tuple[Instigator, SensorSnapshot, Definitions]], now: datetime) -> list[Work]:
        works = []
        with self._engine.begin() as conn:
            for instigator, sensor, definitions in due:
                moment = _grid(instigator, sensor, now)
                tick_id = instigators.start_tick(conn, instigator.instigator_id, moment)
                if tick_id is not None:
                    works.append(self._work(instigator, sensor, definitions, tick_id, moment))
        return works

    def _left_open(self, conn: Connection, running: Mapping[int, tuple[Instigator, SensorSnapshot, Definitions]]) -> list[Work]:
        """Ticks of a daemon that ended before it finished them."""
        found = []
        for tick in instigators.open_ticks(conn):
            known = running.get(tick.instigator_id)
            if known is not None and not self._evaluator.holds(tick.tick_id):
                instigators.restart_tick(conn, tick.tick_id)
                found.append(self._work(*known, tick.tick_id, tick.scheduled_for))
        return found

    def _work(self, instigator: Instigator, sensor: SensorSnapshot, definitions: Definitions, tick_id: int, moment: datetime) -> Work:
        kind = TriggerKind.SENSOR
        asker = Asker(kind=kind, name=sensor.name, tick_id=tick_id, scheduled_for=moment, targets=sensor.targets, tags=sensor.tags)
        question = SensorQuestion(name=sensor.name, cursor=instigator.cursor, last_tick_at=instigator.last_tick_at)
        return Work(instigator=instigator, definitions=definitions, asker=asker, ask=partial(self._ask, instigator, question))

    def _ask(self, instigator: Instigator, question: SensorQuestion) -> Evaluation:
        with self._engine.connect() as conn:
            newest = run_list.list_page(
                conn, location=instigator.location, trigger=TriggerKind.SENSOR, trigger_name=instigator.name, limit=1
            )
        key = newest.items[0].run_key if newest.items else None
        question = replace(question, last_run_key=requests.users_key(key, instigator.location, instigator.name))
        return self._servers.client(instigator.location).evaluate_sensor(question, timeout=self._timeout)


def _grid(instigator: Instigator, sensor: SensorSnapshot, now: datetime) -> datetime:
    """The tick's time: whole intervals after the last one, so that two daemons that both think they lead name the same."""
    anchor = instigator.last_tick_at or instigator.running_since
    if anchor is None or anchor > now:
        return now
    interval = max(1, sensor.minimum_interval_seconds)
    return anchor + timedelta(seconds=(now - anchor).total_seconds() // interval * interval)
