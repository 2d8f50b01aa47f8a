"""Automation: what happens to assets, and what the conditions that look at them ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text
from tests.integration.daemon import rig

from dagwright.authoring.automation import AutomationCondition as C
from dagwright_daemon.automation_held import MANY
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.automation import Automation
from dagwright_daemon.runner import Runner
from dagwright_shared.model.events import (
    AssetFailed,
    AssetMaterialized,
    CheckEvaluated,
    EventBatch,
    Payload,
    RunEvent,
    RunFailed,
    RunStarted,
    RunSucceeded,
)
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey, RunId, new_run_id
from dagwright_shared.model.partitions import DynamicPartitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.runs import Run
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, CheckSnapshot, SensorKind, SensorSnapshot
from dagwright_shared.model.ticks import InstigatorKind
from dagwright_shared.store import automation, backfills, dynamic_partitions, events, instigators, run_list, runs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UP, DOWN, LAST = AssetKey("up"), AssetKey("down"), AssetKey("last")


class World:
    """A location, its automation sensor, and a clock."""

    def __init__(self, engine: Engine, server: rig.CodeServer) -> None:
        self.engine, self._server = engine, server
        self.now = NOON
        self.loop = Automation(engine, Catalog())
        self._seen: set[RunId] = set()

    def define(self, *assets: AssetSnapshot, checks: tuple[CheckSnapshot, ...] = (), **sensor: object) -> World:
        made = SensorSnapshot(
            name="auto",
            kind=SensorKind.AUTOMATION,
            default_running=True,
            asset_keys=tuple(asset.key for asset in assets),
            check_keys=tuple(check.key for check in checks),
        )
        backend = self._server.backend
        backend.snapshot_value = replace(backend.snapshot_value, assets=assets, checks=checks, sensors=(replace(made, **sensor),))  # type: ignore[arg-type]
        self._server.publish()
        return self

    def tick(self, seconds: float = 1, loop: Automation | None = None) -> list[str]:
        """Tick until it rests; the new runs as text."""
        self.now += timedelta(seconds=seconds)
        for _ in range(20):
            if not (loop or self.loop).tick(Turn(now=self.now)).more:
                break
            self.now += timedelta(milliseconds=1)
        else:
            raise AssertionError("it never rests")
        return self.asked()

    def asked(self) -> list[str]:
        fresh = [run for run in self.runs() if run.run_id not in self._seen]
        self._seen.update(run.run_id for run in fresh)
        return sorted(_text(run) for run in fresh)

    def runs(self) -> list[Run]:
        with self.engine.connect() as conn:
            return list(run_list.list_page(conn, limit=500).items)

    def report(self, payload: Payload) -> None:
        with self.engine.begin() as conn:
            events.record(conn, rig.HERE, new_run_id(), RunEvent(seq=1, time=self.now, payload=payload))

    def make(self, key: AssetKey, partition: PartitionKey = ()) -> None:
        self.report(AssetMaterialized(asset_key=key, partition=partition))

    def finish(self, *payloads: Payload, failed: bool = False) -> None:
        """The oldest open run does this, and ends."""
        ends: tuple[Payload, ...] = (RunFailed(error=None, failed_steps=(), reason="no"),) if failed else (RunSucceeded(),)
        told = [RunStarted(pid=1, host="h", executor="e", steps=()), *payloads, *ends]
        with self.engine.begin() as conn:
            (run,) = runs.claim(conn, limit=1, lease_seconds=60)
            found = tuple(RunEvent(seq=run.last_seq + 1 + at, time=self.now, payload=one) for at, one in enumerate(told))
            events.append(conn, [EventBatch(run_id=run.run_id, epoch=run.epoch, events=found)])


def _text(run: Run) -> str:
    names = [key.to_user_string() for key in (*run.asset_keys, *run.check_keys)]
    return "+".join(names) + (f"[{'|'.join(run.partition)}]" if run.partition else "")


def asset(key: AssetKey, condition: C | None = None, *deps: AssetKey, **more: object) -> AssetSnapshot:
    parents = tuple(AssetDepSnapshot(key=dep) for dep in deps)
    return AssetSnapshot(key=key, automation=condition.node if condition else None, deps=parents, op_name=key.to_user_string(), **more)  # type: ignore[arg-type]


@pytest.fixture
def world(store_engine: Engine, code_server: rig.CodeServer) -> World:
    return World(store_engine, code_server)


def test_an_event_leads_to_one_run(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP), asset(LAST, C.eager(), DOWN))
    assert world.tick() == []
    world.make(UP)
    assert world.tick() == ["down+last"]
    assert world.tick() == []
    world.finish(AssetMaterialized(asset_key=DOWN), AssetMaterialized(asset_key=LAST))
    assert world.tick() == []
    world.make(UP)
    assert world.tick() == ["down+last"]


def test_a_level_condition_does_not_ask_again_at_once(world: World) -> None:
    world.define(asset(UP, C.missing()))
    assert world.tick() == ["up"]
    assert world.tick() == []
    world.finish(AssetFailed(asset_key=UP), failed=True)
    assert world.tick() == [], "its own failure is no reason"
    assert world.tick(40) == ["up"], "the interval has passed"
    world.finish(AssetMaterialized(asset_key=UP))
    assert world.tick(40) == []


def test_the_alarm_is_set_for_what_was_held_back(world: World) -> None:
    world.define(asset(UP, C.missing()))
    world.tick()
    outcome = world.loop.tick(Turn(now=world.now + timedelta(seconds=1)))
    assert outcome.wake_at is not None
    assert any(timedelta(seconds=20) < at - world.now < timedelta(seconds=31) for at in outcome.wake_at)


def test_cron_and_partitions_of_time_by_the_clock_alone(world: World) -> None:
    hours = TimeWindowPartitions(cron="0 * * * *", format="%Y-%m-%d-%H:%M", start=NOON - timedelta(hours=3))
    world.define(asset(UP, C.on_cron("0 * * * *")), asset(DOWN, C.eager(), partitions=hours))
    assert world.tick() == []
    assert world.tick(3600) == ["down[2026-03-01-12:00]", "up"]
    assert world.tick(60) == []
    assert world.tick(3600) == ["down[2026-03-01-13:00]", "up"]


def test_dynamic_partitions(world: World) -> None:
    world.define(asset(UP, C.on_missing(), partitions=DynamicPartitions(name="d")))
    assert world.tick() == []
    with world.engine.begin() as conn:
        dynamic_partitions.add(conn, "d", ["a", "b"])
    world.define(asset(UP, C.on_missing(), partitions=DynamicPartitions(name="d")), emit_backfills=False)
    assert world.tick() == ["up[a]", "up[b]"]
    with world.engine.begin() as conn:
        dynamic_partitions.add(conn, "d", ["c"])
    assert world.tick() == ["up[c]"]


def test_many_partitions_become_a_backfill(world: World) -> None:
    keys = StaticPartitions(keys=("a", "b", "c"))
    world.define(asset(UP, C.missing(), partitions=keys), asset(DOWN, C.any_deps_match(C.will_be_requested()), UP), emit_backfills=True)
    world.make(UP, ("b",))
    assert world.tick() == []
    with world.engine.connect() as conn:
        (made,) = backfills.list_page(conn).items
    assert {name: len(subset) for name, subset in made.target.parts.items()} == {"up": 2}
    world.define(asset(UP, C.missing() & ~C.backfill_in_progress(), partitions=keys), emit_backfills=True)
    assert world.tick(100) == []
    with world.engine.connect() as conn:
        assert len(backfills.list_page(conn).items) == 1


def test_checks(world: World) -> None:
    key = AssetCheckKey(UP, "fine")
    check = CheckSnapshot(key=key, automation=C.eager().node, op_name="fine")
    gated = C.any_deps_match(C.any_checks_match(C.check_failed()))
    world.define(asset(UP), asset(DOWN, gated, UP), checks=(check,))
    assert world.tick() == []
    world.make(UP)
    assert world.tick() == ["up:fine"]
    world.finish(CheckEvaluated(check_key=key, passed=False))
    assert world.tick() == ["down"]


def test_a_switched_off_sensor_does_nothing(world: World) -> None:
    world.define(asset(UP, C.missing()), default_running=False)
    assert world.tick() == []
    with world.engine.begin() as conn:
        found = instigators.get(conn, InstigatorKind.SENSOR, "auto")
        instigators.set_switch(conn, found.instigator_id, on=True)
    assert world.tick() == ["up"]


def test_what_was_requested_and_why_can_be_read(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP), run_tags={"team": "x"})
    world.tick()
    world.make(UP)
    world.tick()
    with world.engine.connect() as conn:
        newest = automation.evaluations(conn, DOWN).items
    requested = next(row for row in newest if row.requested)
    assert requested.tree["label"] == "eager"
    assert requested.tree["true"] is True
    (run,) = world.runs()
    assert requested.run_ids == (run.run_id,)
    assert (run.tags["team"], run.trigger.kind.value, run.trigger.name) == ("x", "automation", "auto")


def test_a_new_leader_goes_on_where_the_last_one_was(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP))
    world.tick()
    other = Automation(world.engine, Catalog())
    world.make(UP)
    assert world.tick(loop=other) == ["down"]
    assert world.tick() == [], "the first one sees that the tick is taken"
    world.finish(AssetMaterialized(asset_key=DOWN))
    assert world.tick() == []
    world.make(UP)
    assert world.tick(loop=other) == ["down"]


def test_events_wake_it_only_while_a_sensor_is_on(store_engine: Engine, code_server: rig.CodeServer) -> None:
    world = World(store_engine, code_server)
    heeds = world.loop.loop().heeds
    world.define(AssetSnapshot(key=UP), default_running=False)
    assert heeds("assets")  # nothing is known yet
    world.tick()
    assert not heeds("assets")
    assert not heeds("queue")
    assert heeds("instigators")
    world.define(AssetSnapshot(key=UP))
    world.tick()
    assert heeds("assets")


def test_new_definitions(world: World) -> None:
    world.define(asset(UP, C.code_version_changed(), code_version="1"))
    assert world.tick() == []
    world.define(asset(UP, C.code_version_changed(), code_version="2"), asset(DOWN, C.missing()))
    assert world.tick() == ["down+up"]
    world.define(asset(UP))
    assert world.tick(60) == []
    with world.engine.connect() as conn:
        found = instigators.get(conn, InstigatorKind.SENSOR, "auto")
        assert automation.load_cursors(conn, found.instigator_id) == {}


def test_two_daemons_at_the_same_moment_ask_once(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP))
    world.tick()
    loops = [world.loop, Automation(world.engine, Catalog())]
    for round_ in range(6):
        world.make(UP)
        world.now += timedelta(seconds=1)
        barrier = threading.Barrier(len(loops))

        def one(loop: Automation, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(60)
            for _ in range(20):
                if not loop.tick(Turn(now=world.now)).more:
                    return

        with ThreadPoolExecutor(len(loops)) as pool:
            for done in [pool.submit(one, loop) for loop in loops]:
                done.result(30)
        assert world.asked() == ["down"], f"round {round_}"
        world.finish(AssetMaterialized(asset_key=DOWN))
        assert world.tick() == []


class _CrashError(Exception):
    """The daemon ends here."""


def test_a_crash_at_any_statement_loses_nothing_and_doubles_nothing(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP))
    world.tick()
    crashed = 0
    for point in range(1, 60):
        world.make(UP)
        world.now += timedelta(seconds=1)
        left = point

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise _CrashError

        event.listen(world.engine, "before_cursor_execute", count)
        try:
            world.loop.tick(Turn(now=world.now))
        except _CrashError:
            crashed += 1
        finally:
            event.remove(world.engine, "before_cursor_execute", count)
        world.loop = Automation(world.engine, Catalog())
        assert world.tick() == ["down"], f"after a crash at statement {point}"
        world.finish(AssetMaterialized(asset_key=DOWN))
        assert world.tick() == []
        if left > 0:
            break
    assert crashed > 10


def test_many_partitions_are_read_once(world: World) -> None:
    names = tuple(f"p{at:04}" for at in range(MANY + 100))
    keys = StaticPartitions(keys=names)
    condition = C.any_deps_match(C.newly_updated()) & ~C.any_deps_match(C.missing())
    world.define(asset(UP, partitions=keys), asset(DOWN, condition, UP, partitions=keys), emit_backfills=False)
    made = [AssetMaterialized(asset_key=UP, partition=(name,)) for name in names[: MANY + 50]]
    with world.engine.begin() as conn:
        found = [RunEvent(seq=at, time=world.now, payload=one) for at, one in enumerate(made, 1)]
        events.record(conn, rig.HERE, new_run_id(), *found)
    assert world.tick() == []
    world.make(UP, (names[-1],))
    world.make(UP, (names[0],))
    assert world.tick() == [f"down[{names[0]}]", f"down[{names[-1]}]"]
    other = Automation(world.engine, Catalog())
    world.make(UP, (names[-2],))
    assert world.tick(loop=other) == [f"down[{names[-2]}]"], "one that has held nothing says the same"


def test_the_event_itself_wakes_a_whole_daemon(world: World, code_server: rig.CodeServer, daemons: Callable[..., Runner]) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP))
    code_server.backend.work = lambda _: [AssetMaterialized(asset_key=DOWN), RunSucceeded()]
    daemons()

    def evaluated() -> bool:
        with world.engine.connect() as conn:
            return bool(automation.evaluations(conn, DOWN).items)

    def taken_in() -> bool:
        """Whether a tick has seen the ends of all runs: an update that it sees together with one counts as handled by that run."""
        with world.engine.connect() as conn:
            query = "SELECT bool_and(pg_visible_in_snapshot(r.xid, CAST(s.snapshot AS pg_snapshot))) FROM runs r, automation_sensors s"
            return bool(conn.execute(text(query)).scalar())

    rig.until(evaluated, what="the first evaluation")
    for count in (1, 2):
        world.now = datetime.now(UTC)
        world.make(UP)
        # The loop polls each half minute: within the deadline only a notification can have woken it.
        rig.until(lambda count=count: len(world.runs()) == count and all(run.status.is_final for run in world.runs()), what="its run")
        rig.until(taken_in, what="the end of its run to be taken in")
    assert [spec.asset_keys for spec in code_server.backend.launched] == [(DOWN,), (DOWN,)]


def test_an_update_right_after_the_request_is_not_lost(world: World) -> None:
    world.define(asset(UP), asset(DOWN, C.eager(), UP))
    world.tick()
    world.make(UP)
    world.now += timedelta(seconds=1)
    world.loop.tick(Turn(now=world.now))
    world.make(UP)  # before the daemon has looked again
    assert world.tick() == ["down"]
    world.finish(AssetFailed(asset_key=DOWN), failed=True)
    assert world.tick(40) == ["down"], "the update that came while the run was in progress"
