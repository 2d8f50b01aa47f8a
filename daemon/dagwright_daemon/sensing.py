"""What the loops of sensors share: a sensor with all that is known of it, and the work that a tick of it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import Evaluator, Work
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.runs import TriggerKind
from dagwright_shared.model.snapshot import SensorKind, SensorSnapshot
from dagwright_shared.model.ticks import Delivery, Instigator, InstigatorKind, SensorQuestion, Tick, TickStatus
from dagwright_shared.store import deliveries, instigators

BY_EVENT = frozenset({SensorKind.ASSET, SensorKind.MULTI_ASSET, SensorKind.RUN_STATUS, SensorKind.WEBHOOK})
BY_INTERVAL = frozenset({SensorKind.STANDARD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A sensor as it is stored and as it is defined."""

    instigator: Instigator
    snapshot: SensorSnapshot
    definitions: Definitions

    def begun(self, tick_id: int, moment: datetime, now: datetime) -> Tick:
        """A tick of it that has just been taken."""
        key = self.instigator.instigator_id
        return Tick(tick_id=tick_id, instigator_id=key, scheduled_for=moment, status=TickStatus.STARTED, started_at=now)

    def work(self, tick: Tick, delivery: Delivery | None = None) -> Work:
        """What is to be done for one of its ticks."""
        snapshot = self.snapshot
        asker = Asker(
            kind=TriggerKind.SENSOR,
            name=snapshot.name,
            tick_id=tick.tick_id,
            scheduled_for=tick.scheduled_for,
            targets=snapshot.targets,
            tags=snapshot.tags,
        )
        known = self.instigator
        question = SensorQuestion(name=snapshot.name, cursor=known.cursor, last_tick_at=known.last_tick_at, delivery=delivery)
        return Work(instigator=known, definitions=self.definitions, asker=asker, question=question, overlap=snapshot.overlap)


def defined(conn: Connection, catalog: Catalog, kinds: frozenset[SensorKind]) -> Mapping[int, Sensor]:
    """All sensors of some kinds that are defined, whether on or off, by id."""
    found = {}
    known = instigators.list(conn, kind=InstigatorKind.SENSOR)
    definitions = catalog.current(conn) if known else {}
    by_name = {(location, sensor.name): sensor for location, one in definitions.items() for sensor in one.snapshot.sensors}
    for instigator in known:
        sensor = by_name.get((instigator.location, instigator.name))
        if sensor is not None and sensor.kind in kinds:
            definition = definitions[instigator.location]
            found[instigator.instigator_id] = Sensor(instigator=instigator, snapshot=sensor, definitions=definition)
    return found


def left_open(
    conn: Connection, fresh: Callable[[AbstractSet[int]], Mapping[int, Sensor]], evaluator: Evaluator, *, older_than_seconds: float = 0.0
) -> list[Work]:
    """Ticks of a daemon that ended before it finished them; only the leader of the loop gets here, so nobody is at work on them.

    Args:
        fresh: those of the sensors that are the loop's and switched on, as they are stored now.
    """
    ticks = [tick for tick in instigators.open_ticks(conn, older_than_seconds=older_than_seconds) if not evaluator.holds(tick.tick_id)]
    sensors = fresh({tick.instigator_id for tick in ticks}) if ticks else {}
    found = []
    for tick in ticks:
        sensor = sensors.get(tick.instigator_id)
        if sensor is not None:
            instigators.restart_tick(conn, tick.tick_id)
            hook = sensor.snapshot.kind is SensorKind.WEBHOOK
            found.append(sensor.work(tick, deliveries.of_tick(conn, tick.instigator_id, tick.tick_id) if hook else None))
    return found
