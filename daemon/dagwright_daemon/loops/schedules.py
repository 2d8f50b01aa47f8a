"""Schedules: a tick row for each scheduled time, first as the claim, then as the record of what came of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import PATIENCE, DynamicKeys, Evaluator, Work
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide import requests, schedules
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import TriggerKind
from dagwright_shared.model.snapshot import ScheduleSnapshot
from dagwright_shared.model.ticks import Evaluation, Instigator, InstigatorKind, ScheduleQuestion, TickStatus
from dagwright_shared.store import instigators

log = logging.getLogger("dagwright_daemon.schedules")

_BATCH = 200
_GONE = "The schedule was switched off, or taken out of the code, before the tick was evaluated."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schedule:
    """A schedule that is switched on, with all that is known of it."""

    instigator: Instigator
    snapshot: ScheduleSnapshot
    definitions: Definitions

    @property
    def since(self) -> datetime | None:
        """Ticks up to then are settled or not due."""
        known = [moment for moment in (self.instigator.last_tick_at, self.instigator.running_since) if moment is not None]
        return max(known, default=None)


class Schedules:
    """Takes the ticks that are due, whoever else tries to, exactly once."""

    def __init__(self, engine: Engine, servers: CodeServers, catalog: Catalog, *, timeout: float) -> None:
        """
        Args:
            timeout: seconds that a schedule's function may take.
        """
        self._engine, self._catalog = engine, catalog
        self._evaluator = Evaluator(engine, servers, "schedule", timeout=timeout)
        self._next: dict[int, tuple[object, datetime]] = {}

    def loop(self) -> Loop:
        topics = frozenset({"instigators", "locations"})
        return Loop(name="schedules", interval=10.0, rest=0.1, topics=topics, tick=self.tick, release=self._evaluator.close)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            running = self._running(conn)
            left = self._left_open(conn, running, turn.now)
        taken = missed = 0
        due = [(schedule, found) for schedule in running.values() if (found := self._due(schedule, turn.now)) is not None]
        for start in range(0, len(due), _BATCH):
            if not turn.owned():
                break
            crash_points.reach("before schedules are claimed")
            with self._engine.begin() as conn:
                works = [work for schedule, found in due[start : start + _BATCH] for work in self._claim(conn, schedule, found)]
            crash_points.reach("after schedules were claimed")
            missed += sum(len(found.missed) for _, found in due[start : start + _BATCH])
            taken += len(works)
            self._evaluator.take(works)
        self._evaluator.take(left)
        wake_at = frozenset(at for known, (_, at) in self._next.items() if known in running) | self._evaluator.resume(turn.now)
        facts = {"ticks": taken, "missed": missed, "redone": len(left)}
        return Outcome(done=taken + missed + len(left), wake_at=wake_at, facts=facts)

    def _running(self, conn: Connection) -> dict[int, _Schedule]:
        definitions = self._catalog.current(conn)
        by_name: Mapping[LocationName, Mapping[str, ScheduleSnapshot]] = {
            location: {schedule.name: schedule for schedule in one.snapshot.schedules} for location, one in definitions.items()
        }
        found = {}
        for instigator in instigators.list(conn, kind=InstigatorKind.SCHEDULE):
            snapshot = by_name.get(instigator.location, {}).get(instigator.name)
            if instigator.running and snapshot is not None:
                known = definitions[instigator.location]
                found[instigator.instigator_id] = _Schedule(instigator=instigator, snapshot=snapshot, definitions=known)
        return found

    def _due(self, schedule: _Schedule, now: datetime) -> schedules.Due | None:
        """What it owes now; None, without any arithmetic, while its next time has not come."""
        snapshot, since, key = schedule.snapshot, schedule.since, schedule.instigator.instigator_id
        if since is None:
            return None
        basis = (since, snapshot.cron, snapshot.timezone)
        known, at = self._next.get(key, (None, now))
        if known != basis:
            following = schedules.next_time(snapshot.cron, snapshot.timezone, since)
            if following is None:
                return None
            self._next[key] = (basis, following)
            at = following
        if at > now:
            return None
        # The next look starts from the tick that is taken now.
        found = schedules.due(
            snapshot.cron, snapshot.timezone, since=since, now=now, missed=snapshot.missed_ticks, max_missed=snapshot.max_missed_ticks
        )
        newest = max([*found.take, *(tick.scheduled_for for tick in found.missed)], default=since)
        following = schedules.next_time(snapshot.cron, snapshot.timezone, newest)
        if following is not None:
            self._next[key] = ((newest, snapshot.cron, snapshot.timezone), following)
        return found

    def _claim(self, conn: Connection, schedule: _Schedule, due: schedules.Due) -> list[Work]:
        """Insert the tick rows; those that exist are somebody else's."""
        key = schedule.instigator.instigator_id
        for tick in due.missed:
            missed_id = instigators.start_tick(conn, key, tick.scheduled_for)
            if missed_id is not None:
                instigators.finish_tick(conn, missed_id, TickStatus.SKIPPED, skip_reason=tick.reason)
        works = []
        for moment in due.take:
            tick_id = instigators.start_tick(conn, key, moment)
            if tick_id is not None:
                works.append(self._work(schedule, tick_id, moment))
        return works

    def _left_open(self, conn: Connection, running: Mapping[int, _Schedule], now: datetime) -> list[Work]:
        """Ticks that a daemon claimed and did not finish; only the leader of the loop gets here, so it is not at work on them.

        Those of schedules that have been switched off or taken away meanwhile are closed.
        """
        found = []
        for tick in instigators.open_ticks(conn):
            schedule = running.get(tick.instigator_id)
            if schedule is not None and not self._evaluator.holds(tick.tick_id):
                instigators.restart_tick(conn, tick.tick_id)
                found.append(self._work(schedule, tick.tick_id, tick.scheduled_for))
            elif schedule is None and now - tick.started_at > PATIENCE and not self._evaluator.holds(tick.tick_id):
                owner = instigators.by_id(conn, tick.instigator_id)
                if owner is not None and owner.kind is InstigatorKind.SCHEDULE:
                    instigators.finish_tick(conn, tick.tick_id, TickStatus.SKIPPED, skip_reason=_GONE)
        return found

    def _work(self, schedule: _Schedule, tick_id: int, moment: datetime) -> Work:
        snapshot = schedule.snapshot
        asker = Asker(
            kind=TriggerKind.SCHEDULE,
            name=snapshot.name,
            tick_id=tick_id,
            scheduled_for=moment,
            targets=(snapshot.target,),
            # What user code returns carries the tags that it wants; a schedule without any has its own in the request.
            tags=snapshot.tags,
        )
        return Work(
            instigator=schedule.instigator,
            definitions=schedule.definitions,
            asker=asker,
            question=ScheduleQuestion(name=snapshot.name, scheduled_for=moment) if snapshot.evaluated else None,
            answer=partial(self._answer, schedule, moment),
            overlap=snapshot.overlap,
        )

    def _answer(self, schedule: _Schedule, moment: datetime) -> Evaluation:
        if not schedule.snapshot.partitioned:
            return schedules.requests(schedule.snapshot, moment)
        definition = requests.partitions_of(schedule.definitions, schedule.snapshot.target)
        with self._engine.connect() as conn:
            return schedules.requests(schedule.snapshot, moment, definition, DynamicKeys(conn))
