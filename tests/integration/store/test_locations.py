from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy import event as sa_event
from tests.build import DIGEST, ERROR, LOCATION, queued

from dagwright_shared.model.backfills import Target
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, NotFoundError
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, new_run_id
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import Trigger, TriggerKind
from dagwright_shared.model.snapshot import (
    AssetSnapshot,
    LocationSnapshot,
    LocationState,
    LocationStatus,
    ScheduleSnapshot,
    SensorSnapshot,
)
from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import assets, backfills, dynamic_partitions, idempotency, instigators, leases, locations, pools


def snapshot(*assets: str, schedules: tuple[ScheduleSnapshot, ...] = (), sensors: tuple[SensorSnapshot, ...] = ()) -> LocationSnapshot:
    return LocationSnapshot(
        location=LOCATION,
        dagwright_version="0",
        python_version="3",
        assets=tuple(AssetSnapshot(key=AssetKey.from_user_string(key)) for key in assets),
        schedules=schedules,
        sensors=sensors,
    )


def publish(conn: Connection, what: LocationSnapshot, digest: str = "d1") -> None:
    locations.publish_snapshot(conn, location=LOCATION, digest=Digest(digest), payload=b"bytes of " + digest.encode(), snapshot=what)


def schedule(name: str = "daily", *, on: bool = False) -> ScheduleSnapshot:
    return ScheduleSnapshot(name=name, cron=("0 0 * * *",), default_running=on)


def test_publish_and_read_back(conn: Connection) -> None:
    publish(conn, snapshot("a", "b"))
    ids = assets.ids(conn)
    assert set(ids) == {(LOCATION, "a"), (LOCATION, "b")}
    [row] = locations.current(conn)
    assert (row.location, row.digest, row.state) == (LOCATION, "d1", LocationState.LOADED)
    assert locations.payload(conn, Digest("d1")) == b"bytes of d1"
    publish(conn, snapshot("b", "c"), "d2")
    assert set(assets.ids(conn)) == {(LOCATION, "b"), (LOCATION, "c")}
    publish(conn, snapshot("a", "b"))
    assert assets.ids(conn) == ids, "an asset that comes back has its old id"
    with pytest.raises(NotFoundError):
        locations.payload(conn, Digest("nope"))


def test_state_keeps_the_snapshot(conn: Connection) -> None:
    publish(conn, snapshot("a"))
    broken = LocationStatus(location=LOCATION, server_id="s", state=LocationState.ERROR, error=ERROR, spawn_reason="threads")
    locations.register_server(conn, broken, address="localhost:4000")
    row = locations.get(conn, LOCATION)
    assert row is not None
    assert (row.digest, row.state, row.error, row.spawn_reason) == ("d1", LocationState.ERROR, ERROR, "threads")
    [server] = locations.servers(conn)
    assert (server.address, server.state, server.error) == ("localhost:4000", LocationState.ERROR, ERROR)
    assert server.heartbeat_age < 5
    publish(conn, snapshot("a"))
    assert locations.current(conn)[0].state is LocationState.LOADED
    assert locations.heartbeat_server(conn, "s")
    assert not locations.heartbeat_server(conn, "other")
    assert locations.remove_lost_servers(conn, older_than_seconds=60) == []
    locations.remove_server(conn, "s")
    assert locations.servers(conn) == []
    locations.remove(conn, LOCATION)
    assert (locations.current(conn), assets.ids(conn)) == ([], {})


def test_publishing_many_assets_takes_few_statements(store_engine: Engine) -> None:
    large = snapshot(*(f"group_{n % 100}/asset_{n}" for n in range(10_000)))
    said: list[str] = []
    with store_engine.begin() as conn:
        sa_event.listen(conn, "before_cursor_execute", lambda _c, _cursor, statement, *_: said.append(statement))
        publish(conn, large)
    assert 0 < len(said) < 30
    with store_engine.connect() as conn:
        assert len(assets.ids(conn)) == 10_000


def test_switches(conn: Connection) -> None:
    publish(conn, snapshot(schedules=(schedule(), schedule("on", on=True)), sensors=(SensorSnapshot(name="s"),)))
    assert [one.name for one in instigators.list(conn)] == ["daily", "on", "s"]
    daily, on = instigators.list(conn, kind=InstigatorKind.SCHEDULE)
    assert (daily.running, daily.switched, daily.running_since) == (False, False, None)
    assert (on.running, on.switched) == (True, False)
    assert on.running_since is not None
    daily = instigators.set_switch(conn, daily.instigator_id, on=True)
    assert (daily.running, daily.switched) == (True, True)
    since = daily.running_since
    assert since is not None
    assert instigators.set_switch(conn, daily.instigator_id, on=True).running_since == since, "turning on what is on changes nothing"
    publish(conn, snapshot(schedules=(schedule(), schedule("on"))), "d2")
    daily, on = instigators.list(conn, kind=InstigatorKind.SCHEDULE)
    assert (daily.running, daily.running_since) == (True, since)
    assert (on.running, on.running_since) == (False, None)
    assert instigators.list(conn, kind=InstigatorKind.SENSOR) == ()
    assert len(instigators.list(conn, kind=InstigatorKind.SENSOR, defined=False)) == 1
    assert not instigators.set_switch(conn, daily.instigator_id, on=None).running
    assert instigators.get(conn, InstigatorKind.SCHEDULE, "on", location=LOCATION).instigator_id == on.instigator_id
    assert instigators.by_id(conn, 0) is None
    with pytest.raises(NotFoundError, match="did you mean 'daily'"):
        instigators.get(conn, InstigatorKind.SCHEDULE, "dialy")
    with pytest.raises(NotFoundError):
        instigators.set_switch(conn, 0, on=True)


def test_schedule_that_comes_back_does_not_catch_up(conn: Connection) -> None:
    publish(conn, snapshot(schedules=(schedule(on=True),)))
    [before] = instigators.list(conn)
    publish(conn, snapshot(), "d2")
    publish(conn, snapshot(schedules=(schedule(on=True),)))
    [after] = instigators.list(conn)
    assert before.running_since is not None
    assert after.running_since is not None
    assert (after.instigator_id, after.running_since > before.running_since) == (before.instigator_id, True)


def test_tick_is_taken_once(conn: Connection) -> None:
    publish(conn, snapshot(sensors=(SensorSnapshot(name="s"),)))
    [sensor] = instigators.list(conn)
    at = datetime(2024, 1, 1, tzinfo=UTC)
    tick_id = instigators.start_tick(conn, sensor.instigator_id, at)
    assert tick_id is not None
    assert instigators.start_tick(conn, sensor.instigator_id, at) is None
    assert [tick.tick_id for tick in instigators.open_ticks(conn)] == [tick_id]
    assert instigators.open_ticks(conn, older_than_seconds=60) == ()
    assert instigators.restart_tick(conn, tick_id) == 2
    run_id = queued(conn, trigger=Trigger(kind=TriggerKind.SENSOR, name="s", tick_id=tick_id))
    assert instigators.finish_tick(conn, tick_id, TickStatus.SUCCESS, cursor="c1", logs=["one", "two"])
    assert not instigators.finish_tick(conn, tick_id, TickStatus.FAILURE, error=ERROR)
    assert instigators.restart_tick(conn, tick_id) is None
    [tick] = instigators.ticks(conn).items
    assert (tick.status, tick.run_ids, tick.cursor, tick.logs, tick.attempt) == (TickStatus.SUCCESS, (run_id,), "c1", ("one", "two"), 2)
    again = instigators.by_id(conn, sensor.instigator_id)
    assert again is not None
    assert (again.cursor, again.last_tick_at) == ("c1", at)


def test_pages_of_ticks(conn: Connection) -> None:
    publish(conn, snapshot(schedules=(schedule(), schedule("other"))))
    one, other = instigators.list(conn)
    for day in range(5):
        tick_id = instigators.start_tick(conn, one.instigator_id, datetime(2024, 1, 1 + day, tzinfo=UTC))
        assert tick_id is not None
        instigators.finish_tick(conn, tick_id, TickStatus.SKIPPED, skip_reason="no data")
    instigators.start_tick(conn, other.instigator_id, datetime(2024, 1, 1, tzinfo=UTC))
    first = instigators.ticks(conn, instigator_id=one.instigator_id, limit=3)
    second = instigators.ticks(conn, instigator_id=one.instigator_id, limit=3, cursor=first.next_cursor)
    assert [tick.scheduled_for.day for tick in (*first.items, *second.items)] == [5, 4, 3, 2, 1]
    assert second.next_cursor is None
    assert len(instigators.ticks(conn, status=[TickStatus.STARTED]).items) == 1
    with pytest.raises(InvalidRequestError):
        instigators.ticks(conn, cursor="bad")


def test_one_leader(conn: Connection) -> None:
    assert leases.acquire(conn, ["b", "a"], "me", 60) == {"a": 1, "b": 1}
    assert leases.acquire(conn, ["a", "c"], "you", 60) == {"c": 1}
    assert leases.acquire(conn, ["a", "b"], "me", 0) == {"a": 1, "b": 1}, "renewed, and lapsing at once"
    assert leases.acquire(conn, ["a"], "you", 60) == {"a": 2}
    assert leases.held_by_term(conn, "a", "you", 2)
    assert not leases.held_by_term(conn, "a", "me", 1)
    leases.release(conn, ["a", "b", "c"], "you")
    assert leases.acquire(conn, ["a"], "me", 60) == {"a": 3}
    assert [(lease.name, lease.holder, lease.expired) for lease in leases.leases(conn)] == [
        ("a", "me", False),
        ("b", "me", True),
        ("c", "you", True),
    ]


def test_daemons(conn: Connection) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    leases.heartbeat_daemon(conn, daemon_id="d", host="h", pid=1, started_at=began, loops={"queue": {"ok": True}})
    leases.heartbeat_daemon(conn, daemon_id="d", host="h", pid=1, started_at=began, loops={"queue": {"ok": False}})
    [daemon] = leases.daemons(conn)
    assert (daemon.started_at, daemon.loops) == (began, {"queue": {"ok": False}})
    assert daemon.heartbeat_age < 5
    assert leases.remove_lost_daemons(conn, older_than_seconds=60) == []
    leases.remove_daemon(conn, "d")
    assert leases.daemons(conn) == []


def test_dynamic_partitions(conn: Connection) -> None:
    assert dynamic_partitions.add(conn, "customers", ["z", "a", "z"]) == ["z", "a"]
    assert dynamic_partitions.add(conn, "customers", ["a", "b"]) == ["b"]
    assert dynamic_partitions.keys(conn, "customers") == ["z", "a", "b"]
    assert dynamic_partitions.every(conn) == {"customers": ("z", "a", "b")}
    assert dynamic_partitions.delete(conn, "customers", ["a", "nope"]) == 1
    assert dynamic_partitions.keys(conn, "customers") == ["z", "b"]


def test_idempotency(conn: Connection) -> None:
    assert idempotency.find(conn, "k", "h") is None
    idempotency.remember(conn, "k", "h", status_code=201, response={"run_id": "r"})
    found = idempotency.find(conn, "k", "h")
    assert found is not None
    assert (found.status_code, found.response) == (201, {"run_id": "r"})
    with pytest.raises(ConflictError, match="different request"):
        idempotency.find(conn, "k", "other")
    assert idempotency.forget(conn, older_than_seconds=60) == 0
    assert idempotency.forget(conn, older_than_seconds=0) == 1


def test_pools_and_backfills(conn: Connection) -> None:
    pools.define(conn, "db", 2)
    pools.define(conn, "db", 3)
    assert [(pool.name, pool.slots, pool.used) for pool in pools.list(conn, Limits())] == [("db", 3, 0)]
    assert pools.remove(conn, "db")
    assert not pools.remove(conn, "db")
    with pytest.raises(InvalidRequestError, match="-1 slots"):
        pools.define(conn, "db", -1)
    target = Target(as_of=datetime(2024, 1, 1, tzinfo=UTC), parts={})
    made = [backfills.NewBackfill(backfill_id=new_run_id(), location=LocationName("l"), digest=DIGEST, target=target) for _ in range(3)]
    assert all(backfills.create(conn, one) for one in made)
    assert not backfills.create(conn, made[0])
    first = backfills.list_page(conn, limit=2)
    second = backfills.list_page(conn, limit=2, cursor=first.next_cursor)
    assert [row.backfill_id for row in (*first.items, *second.items)] == [one.backfill_id for one in reversed(made)]
    row = backfills.get(conn, made[0].backfill_id)
    assert row is not None
    assert (row.target, row.status) == (target, "REQUESTED")
    assert backfills.get(conn, "nope") is None
