"""Sensors: evaluated by user code once in each minimum interval, with a cursor that moves only when its tick succeeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from dagwright_daemon import crash_points, sensing
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import Evaluator, Work
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.sensing import Sensor
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide import sensors
from dagwright_shared.model.snapshot import SensorSnapshot
from dagwright_shared.model.ticks import Instigator
from dagwright_shared.store import instigators
from dagwright_shared.store.instigators import Claim

_BATCH = 500


class Sensors:
    """Evaluates sensors that look at the world by themselves; those that wait for an event have a loop of their own."""

    def __init__(self, engine: Engine, servers: CodeServers, catalog: Catalog, *, timeout: float) -> None:
        """
        Args:
            timeout: seconds that a sensor's function may take.
        """
        self._engine, self._catalog = engine, catalog
        # Once it has been asked, a sensor's next time is known.
        self._evaluator = Evaluator(engine, servers, "sensor", timeout=timeout, ended=lambda _work, _answer: self._wake())
        self._wake: Callable[[], None] = lambda: None

    def loop(self) -> Loop:
        topics = frozenset({"instigators", "locations"})
        # The rest gathers what is due at about the same time: a process for many sensors costs as much as for one.
        return Loop(name="sensors", interval=5.0, rest=0.5, topics=topics, tick=self.tick, release=self._evaluator.close)

    def tick(self, turn: Turn) -> Outcome:
        self._wake = turn.wake
        with self._engine.begin() as conn:
            known = sensing.defined(conn, self._catalog, sensing.BY_INTERVAL)
            running = {key: sensor for key, sensor in known.items() if sensor.instigator.running}
            works = sensing.left_open(conn, lambda _: running, self._evaluator) if running else []
        redone, due, later = {work.instigator.instigator_id for work in works}, [], set()
        for key, sensor in running.items():
            if self._evaluator.is_busy(key) or key in redone:
                continue
            if sensors.is_due(sensor.snapshot, sensor.instigator, turn.now):
                due.append(sensor)
            elif (moment := sensors.next_time(sensor.snapshot, sensor.instigator)) is not None:
                later.add(_whole_second(moment))
        for start in range(0, len(due), _BATCH):
            if turn.owned():
                works += self._claim(due[start : start + _BATCH], turn.now)
        self._evaluator.take(works)
        wake_at = frozenset(later) | self._evaluator.resume(turn.now)
        # No facts: a sensor that has nothing to say each half minute is no news.
        return Outcome(done=len(works), wake_at=wake_at, facts={"redone": len(redone)})

    def _claim(self, due: Sequence[Sensor], now: datetime) -> list[Work]:
        moments = {one.instigator.instigator_id: _grid(one.instigator, one.snapshot, now) for one in due}
        crash_points.reach("before sensors are claimed")
        with self._engine.begin() as conn:
            claims = [
                Claim(instigator_id=key, scheduled_for=moments[key], seen=one.instigator.last_tick_at)
                for one in due
                for key in (one.instigator.instigator_id,)
            ]
            taken = instigators.start_ticks(conn, claims)
        crash_points.reach("after sensors were claimed")
        return [one.work(one.begun(taken[key], moments[key], now)) for one in due if (key := one.instigator.instigator_id) in taken]


def _whole_second(moment: datetime) -> datetime:
    """The next full second: a thousand sensors are a wake each second, not a thousand wakes."""
    return datetime.fromtimestamp(math.ceil(moment.timestamp()), UTC)


def _grid(instigator: Instigator, sensor: SensorSnapshot, now: datetime) -> datetime:
    """The tick's time: whole intervals after the last one, so that two daemons that both think they lead name the same."""
    anchor = instigator.last_tick_at or instigator.running_since
    if anchor is None or anchor > now:
        return now
    interval = max(1, sensor.minimum_interval_seconds)
    return anchor + timedelta(seconds=(now - anchor).total_seconds() // interval * interval)
