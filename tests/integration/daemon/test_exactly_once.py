"""Two daemons that both think they lead, crashes at every named place, clocks that jump: nothing is missed, and nothing is done twice."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine, text
from tests.conftest import CLEAN
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

import dagwright as dg
from dagwright.authoring.instance import Instance
from dagwright.execution import evaluate
from dagwright.loading import snapshot
from dagwright_daemon import crash_points
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.event_sensors import EventSensors
from dagwright_daemon.loops.schedules import Schedules
from dagwright_daemon.loops.sensors import Sensors
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.history import EventFilter, StoredEvent
from dagwright_shared.model.keys import AssetKey, new_run_id
from dagwright_shared.model.ticks import Evaluation, ScheduleQuestion, SensorQuestion, TickStatus
from dagwright_shared.store import events, instigators, run_list
from dagwright_shared.store.history import StoreHistory

PLACES = (
    "before schedules are claimed",
    "after schedules were claimed",
    "before sensors are claimed",
    "after sensors were claimed",
    "before ticks are finished",
    "after ticks were finished",
)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILES: list[int] = []
"""The world that the sensor looks at."""


@dg.op
def one() -> int:
    return 1


@dg.job
def job():
    one()


@dg.asset
def raw() -> int:
    return 1


# Neither gives run keys: what they ask for twice would be launched twice.


@dg.sensor(job=job, default_status=dg.DefaultSensorStatus.RUNNING)
def files(context: dg.SensorEvaluationContext):
    seen = int(context.cursor or 0)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"file": str(file)}) for file in FILES[seen:]], cursor=str(len(FILES)))


@dg.asset_sensor(asset_key=dg.AssetKey("raw"), job=job, default_status=dg.DefaultSensorStatus.RUNNING)
def on_raw(context: dg.SensorEvaluationContext, event: dg.EventLogEntry):
    return dg.RunRequest(tags={"made": event.asset_materialization.metadata["number"].text})


@dg.schedule(cron_schedule="* * * * *", job=job, default_status=dg.DefaultScheduleStatus.RUNNING)
def minutely(context: dg.ScheduleEvaluationContext):
    return dg.RunRequest(tags={"minute": context.scheduled_execution_time.isoformat()})


DEFINITIONS = dg.Definitions(assets=[raw], jobs=[job], sensors=[files, on_raw], schedules=[minutely])


class Crash(BaseException):
    """The daemon dies here."""


class Settled(StoreHistory):
    """Events as a sensor reads them."""

    def events(self, wanted: EventFilter) -> tuple[StoredEvent, ...]:
        return super().events(EventFilter(**{name: getattr(wanted, name) for name in wanted.__slots__ if name != "settled"}, settled=True))


class Daemon:
    """The loops of one daemon, called by the test."""

    def __init__(self, engine: Engine, servers: CodeServers) -> None:
        catalog = Catalog()
        self.schedules = Schedules(engine, servers, catalog, timeout=60.0)
        self.sensors = Sensors(engine, servers, catalog, timeout=60.0)
        self.event_sensors = EventSensors(engine, servers, catalog, timeout=60.0)

    def tick(self, now: datetime) -> None:
        for loop in (self.schedules, self.sensors, self.event_sensors):
            loop.tick(Turn(now=now))

    def close(self) -> None:
        for loop in (self.schedules, self.sensors, self.event_sensors):
            loop.loop().release()


class Machine(RuleBasedStateMachine):
    engine: Engine
    servers: CodeServers
    code_server: rig.CodeServer

    @initialize()
    def start(self) -> None:
        with self.engine.begin() as conn:
            conn.execute(text("DELETE FROM runs; DELETE FROM ticks; DELETE FROM asset_partitions; DELETE FROM events"))
            conn.execute(text("UPDATE instigators SET cursor = NULL, last_tick_at = NULL, running_since = :start"), {"start": START})
        FILES.clear()
        self.now, self.made = START, 0
        self.daemons = [Daemon(self.engine, self.servers) for _ in range(2)]
        # The asset sensor begins with what comes after its first evaluation.
        self.turn(0)
        self.settle()

    @rule()
    def a_file_comes(self) -> None:
        FILES.append(len(FILES))

    @rule()
    def the_asset_is_made(self) -> None:
        payload = AssetMaterialized(asset_key=AssetKey(["raw"]), metadata={"number": dg.MetadataValue.text(str(self.made))})
        with self.engine.begin() as conn:
            events.record(conn, rig.HERE, new_run_id(), RunEvent(seq=1, time=datetime.now(UTC), payload=payload))
        self.made += 1

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(which=st.integers(0, 1), back=st.integers(1, 3600))
    def a_clock_is_set_back_for_a_while(self, which: int, back: int) -> None:
        self.daemons[which].tick(self.now - timedelta(seconds=back))

    @rule(which=st.integers(0, 1))
    def turn(self, which: int) -> None:
        self.daemons[which].tick(self.now)

    @rule()
    def both_take_a_turn(self) -> None:
        threads = [threading.Thread(target=daemon.tick, args=(self.now,)) for daemon in self.daemons]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @rule(which=st.integers(0, 1), place=st.sampled_from(PLACES))
    def one_dies(self, which: int, place: str) -> None:
        def die(name: str) -> None:
            if name == place:
                raise Crash

        crash_points.at_each(die)
        try:
            with contextlib.suppress(Crash):
                self.daemons[which].tick(self.now)
            threading.Event().wait(0.05)  # its threads get to the place, or past it: both are to be right
        finally:
            crash_points.at_each(None)
        self.daemons[which].close()
        self.daemons[which] = Daemon(self.engine, self.servers)

    def settle(self) -> None:
        """Let one daemon come to the end of all that there is to do."""

        began = time.monotonic()

        def done() -> bool:
            # The clock goes on: a tick that another daemon left open is looked for when it is some seconds old.
            self.daemons[0].tick(self.now + timedelta(seconds=time.monotonic() - began))
            with self.engine.connect() as conn:
                return not instigators.open_ticks(conn)

        until(done, what="every tick to end")

    def teardown(self) -> None:
        if not hasattr(self, "daemons"):
            return
        self.daemons[1].close()
        for _ in range(3):
            self.now += timedelta(hours=2)  # past every clock, whatever it said
            self.settle()
        until(lambda: (self.settle(), len(self.tags("made")) >= self.made)[1], what="every materialization")
        assert self.tags("file") == Counter(str(file) for file in FILES)
        assert self.tags("made") == Counter(str(number) for number in range(self.made))
        assert set(self.tags("minute").values()) <= {1}
        with self.engine.connect() as conn:
            found = [tick for tick in instigators.ticks(conn, limit=500).items if tick.status is TickStatus.FAILURE]
        assert not found, found[0].error
        self.daemons[0].close()

    def tags(self, name: str) -> Counter[str]:
        with self.engine.connect() as conn:
            runs = run_list.list_page(conn, limit=1000).items
        return Counter(run.tags[name] for run in runs if name in run.tags)


@pytest.fixture
def machine(store_engine: Engine, code_server: rig.CodeServer, servers: CodeServers) -> Iterator[type[Machine]]:
    backend = code_server.backend

    def sensor(question: SensorQuestion) -> Evaluation:
        with store_engine.begin() as conn:
            return evaluate.sensor(DEFINITIONS, question, instance=Instance(Settled(conn, rig.HERE)))

    def schedule(question: ScheduleQuestion) -> Evaluation:
        return evaluate.schedule(DEFINITIONS, question)

    backend.sensor, backend.schedule = sensor, schedule
    backend.snapshot_value = snapshot.build(DEFINITIONS, rig.HERE)
    code_server.publish()
    Machine.engine, Machine.servers, Machine.code_server = store_engine, servers, code_server
    yield Machine
    crash_points.at_each(None)
    with store_engine.begin() as conn:
        conn.execute(text(CLEAN))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the crashes
def test_nothing_is_missed_and_nothing_is_done_twice(machine: type[Machine]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)),
    )
