"""Sensors of assets, of runs and of webhooks: evaluated as soon as something has happened that concerns them.

What has happened is read by commit horizon, and a sensor stays marked until a tick of it has ended well: nothing is missed. Its cursor
moves in the transaction that makes its runs: nothing is done twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points, sensing
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import Answer, Evaluator, Work
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.sensing import Sensor
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide import sensors as decide
from dagwright_shared.model.keys import Digest
from dagwright_shared.model.snapshot import SensorKind
from dagwright_shared.model.ticks import Delivery
from dagwright_shared.store import deliveries, instigators, locations, signals
from dagwright_shared.store.instigators import Claim

_FIRST_LOOK, _LAST_LOOK = 0.01, 1.0
"""Seconds until the next look while an older transaction is open; it doubles with each, for some are open for minutes."""
_LOOK = timedelta(seconds=5)
_SWITCHES = frozenset({"instigators", "locations"})
"""Topics that tell of sensors that come, go or are switched."""


class EventSensors:
    """Remembers which sensors there are, and which of them something has happened to."""

    def __init__(self, engine: Engine, servers: CodeServers, catalog: Catalog, *, timeout: float) -> None:
        """
        Args:
            timeout: seconds that a sensor's function may take.
        """
        self._engine, self._catalog = engine, catalog
        self._evaluator = Evaluator(engine, servers, "event-sensor", timeout=timeout, ended=self._ended)
        self._lock = threading.Lock()
        self._wake: Callable[[], None] = lambda: None
        self._forget()

    def loop(self) -> Loop:
        topics = _SWITCHES | {"assets", "run_status", deliveries.TOPIC}
        return Loop(name="event_sensors", interval=5.0, rest=0.005, topics=topics, tick=self.tick, heeds=self._heeds, release=self._release)

    def _heeds(self, topic: str) -> bool:
        return topic in _SWITCHES or not self._unused

    def tick(self, turn: Turn) -> Outcome:
        self._wake, self._unused = turn.wake, False
        with self._engine.begin() as conn:
            unsettled = self._read(conn)
            if not self._known:
                self._unused = True
                return Outcome(wake_at=frozenset())
            self._mark_polled(turn.now)
            works = self._left_open(conn, turn.now)
            redone = {work.instigator.instigator_id for work in works}
            with self._lock:
                marked = {key for key in self._marked if self._later.get(key, turn.now) <= turn.now}
            due = self._fresh(conn, {key for key in marked - redone if not self._evaluator.is_busy(key)})
            hooks = {key for key, one in due.items() if one.snapshot.kind is SensorKind.WEBHOOK}
            waiting = deliveries.waiting(conn, hooks) if hooks else {}
            due = {key: one for key, one in due.items() if key not in hooks or key in waiting}
            with self._lock:
                self._marked -= hooks - set(waiting)
        if due and turn.owned():
            works += self._claim(due, waiting, turn.now)
        self._evaluator.take(works)
        return Outcome(done=len(works), wake_at=self._wake_at(turn.now, unsettled=unsettled))

    def _forget(self) -> None:
        self._known: Mapping[int, Sensor] = {}
        self._digests: frozenset[Digest] | None = None
        self._seen: int | None = None
        self._look_at: datetime | None = None
        self._looks = 0
        self._unused = False
        """Whether the newest tick has found no sensor: until one is defined, nothing that happens matters."""
        self._poll_at: dict[int, datetime] = {}
        """Sensors that are also asked once in each interval, because their functions may look at other things too."""
        with self._lock:
            self._marked: set[int] = set()
            self._later: dict[int, datetime] = {}
            """Marked sensors that are not to be evaluated before then, because the last evaluation failed."""

    def _release(self) -> None:
        self._evaluator.close()
        self._forget()

    def _read(self, conn: Connection) -> bool:
        """Mark the sensors that something has happened to; whether there is more that cannot be told yet."""
        digests = frozenset(row.digest for row in locations.current(conn) if row.digest is not None)
        if digests != self._digests:
            before, self._known = self._known, sensing.defined(conn, self._catalog, sensing.BY_EVENT)
            self._digests = digests
            with self._lock:
                self._marked = (self._marked | set(self._known) - set(before)) & set(self._known)
        if not self._known:
            self._seen = None
            return False
        found = signals.since(conn, self._seen)
        self._seen = found.horizon
        watching = ((key, one.instigator.location, one.snapshot) for key, one in self._known.items())
        concerned = decide.concerned(watching, asset_keys=found.asset_keys, runs=found.runs) if found.asset_keys or found.runs else set()
        hooks = [key for key, one in self._known.items() if one.snapshot.kind is SensorKind.WEBHOOK]
        concerned |= set(deliveries.waiting(conn, hooks)) if hooks else set()
        with self._lock:
            self._marked |= concerned
        return found.unsettled

    def _mark_polled(self, now: datetime) -> None:
        for key, moment in list(self._poll_at.items()):
            if moment <= now:
                del self._poll_at[key]
                with self._lock:
                    self._marked.add(key)

    def _left_open(self, conn: Connection, now: datetime) -> list[Work]:
        """Looked for when this daemon begins to lead, and now and then: one that led before may have taken a tick since."""
        first = self._look_at is None
        if self._look_at is not None and now < self._look_at:
            return []
        self._look_at = now + _LOOK
        return sensing.left_open(
            conn, partial(self._fresh, conn), self._evaluator, older_than_seconds=0.0 if first else _LOOK.total_seconds()
        )

    def _fresh(self, conn: Connection, keys: AbstractSet[int]) -> dict[int, Sensor]:
        """Those of the sensors that are switched on, with their cursors as they are now."""
        if not keys:
            return {}
        return {
            key: replace(self._known[key], instigator=instigator)
            for key, instigator in instigators.running(conn, keys & set(self._known)).items()
        }

    def _claim(self, due: Mapping[int, Sensor], waiting: Mapping[int, Delivery], now: datetime) -> list[Work]:
        crash_points.reach("before sensors are claimed")
        with self._engine.begin() as conn:
            claims = [Claim(instigator_id=key, scheduled_for=now, seen=one.instigator.last_tick_at) for key, one in due.items()]
            taken = instigators.start_ticks(conn, claims)
            deliveries.begin(conn, [(waiting[key].delivery_id, tick_id) for key, tick_id in taken.items() if key in waiting])
        crash_points.reach("after sensors were claimed")
        with self._lock:
            self._marked -= set(taken)
            for key in taken:
                self._later.pop(key, None)
        for key in taken:
            if due[key].snapshot.kind is SensorKind.MULTI_ASSET:
                self._poll_at[key] = now + timedelta(seconds=max(1, due[key].snapshot.minimum_interval_seconds))
        return [due[key].work(due[key].begun(tick_id, now, now), waiting.get(key)) for key, tick_id in taken.items()]

    def _ended(self, work: Work, answer: Answer) -> None:
        """In a thread of the evaluator: is there more to do for the sensor?"""
        key = work.instigator.instigator_id
        sensor = self._known.get(key)
        if sensor is None:
            return
        hook = sensor.snapshot.kind is SensorKind.WEBHOOK
        with self._lock:
            if isinstance(answer, Exception) and not hook:
                interval = max(1, sensor.snapshot.minimum_interval_seconds)
                self._later[key] = datetime.now(UTC) + timedelta(seconds=interval)
            if isinstance(answer, Exception) or answer.more or hook:
                self._marked.add(key)
            again = key in self._marked
        if again:
            self._wake()

    def _wake_at(self, now: datetime, *, unsettled: bool) -> frozenset[datetime]:
        moments = set(self._evaluator.resume(now)) | set(self._poll_at.values())
        self._looks = self._looks + 1 if unsettled else 0
        if unsettled:
            moments.add(now + timedelta(seconds=min(_LAST_LOOK, _FIRST_LOOK * 2 ** min(self._looks - 1, 10))))
        with self._lock:
            moments |= {moment for key, moment in self._later.items() if key in self._marked and moment > now}
        return frozenset(moments)
