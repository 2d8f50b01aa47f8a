"""Schedules: ticks are taken once, evaluated, recorded, redone after a death."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.schedules import Schedules
from dagwright_daemon.runner import Runner
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.errors import ErrorInfo, UnavailableError, UserCodeError
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.partitions import TimeWindowPartitions
from dagwright_shared.model.runs import Run, RunStatus
from dagwright_shared.model.snapshot import JobSnapshot, MissedTicks, Overlap, ScheduleSnapshot, TriggerTarget
from dagwright_shared.model.ticks import Evaluation, InstigatorKind, RunRequestData, Tick, TickStatus
from dagwright_shared.store import instigators, run_list

JOB = TriggerTarget(job_name="job")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def schedule(name: str = "hourly", **fields: object) -> ScheduleSnapshot:
    plain: dict[str, object] = {"cron": ("0 * * * *",), "target": JOB, "default_running": True, "evaluated": False}
    return ScheduleSnapshot(name=name, **{**plain, **fields})  # type: ignore[arg-type]


def ticks(engine: Engine) -> list[Tick]:
    with engine.connect() as conn:
        return sorted(instigators.ticks(conn, limit=1000).items, key=lambda tick: (tick.scheduled_for, tick.tick_id))


def all_runs(engine: Engine) -> list[Run]:
    with engine.connect() as conn:
        return list(run_list.list_page(conn, limit=1000).items)[::-1]


def settled(engine: Engine, count: int) -> Callable[[], bool]:
    return lambda: len(found := ticks(engine)) == count and all(tick.status is not TickStatus.STARTED for tick in found)


def since(engine: Engine, moment: datetime) -> None:
    """Let all schedules have been running since then."""
    with engine.begin() as conn:
        conn.execute(text("UPDATE instigators SET running_since = :moment"), {"moment": moment})


@pytest.fixture
def publish(code_server: rig.CodeServer) -> Callable[..., None]:
    def make(*found: ScheduleSnapshot, **fields: object) -> None:
        backend = code_server.backend
        backend.snapshot_value = replace(backend.snapshot_value, schedules=found, **fields)  # type: ignore[arg-type]
        code_server.publish()
        since(code_server.engine, NOON)

    return make


@pytest.fixture
def loop(store_engine: Engine, servers: CodeServers) -> Iterator[Schedules]:
    made = Schedules(store_engine, servers, Catalog(), timeout=60.0)
    yield made
    made.loop().release()


def turn(moment: datetime) -> Turn:
    return Turn(now=moment)


def test_a_tick_makes_one_run(store_engine: Engine, publish: Callable[..., None], loop: Schedules) -> None:
    publish(schedule(tags={"team": "a", "dagwright/priority": "4"}, config={"x": 1}))
    assert loop.tick(turn(NOON + timedelta(minutes=59))).done == 0
    outcome = loop.tick(turn(NOON + timedelta(hours=1)))
    assert outcome.done == 1
    assert outcome.wake_at == frozenset({NOON + timedelta(hours=2)})
    until(settled(store_engine, 1))
    (run,), (tick,) = all_runs(store_engine), ticks(store_engine)
    assert run.run_key == "schedule:here:hourly:2026-03-01T13:00:00+00:00"
    assert (run.job_name, run.priority, run.tags["team"], run.config) == ("job", 4, "a", {"x": 1})
    assert (tick.status, tick.run_ids, run.trigger.tick_id) == (TickStatus.SUCCESS, (run.run_id,), tick.tick_id)
    assert loop.tick(turn(NOON + timedelta(hours=1, seconds=1))).done == 0


def test_user_code_decides(store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], loop: Schedules) -> None:
    answers = [
        Evaluation(skip_reason="holiday", logs=("looked",)),
        Evaluation(requests=(RunRequestData(run_key="a", tags={"n": "1"}), RunRequestData(run_key="b"))),
        Evaluation(requests=(RunRequestData(), RunRequestData())),
    ]
    code_server.backend.schedule = lambda _: answers.pop(0)
    publish(schedule(evaluated=True))
    for hour in (1, 2, 3):
        loop.tick(turn(NOON + timedelta(hours=hour)))
        until(settled(store_engine, hour))
    first, second, third = ticks(store_engine)
    assert (first.status, first.skip_reason, first.logs) == (TickStatus.SKIPPED, "holiday", ("looked",))
    assert (len(second.run_ids), len(third.run_ids)) == (2, 2)


def test_an_error_is_recorded_on_the_tick(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], loop: Schedules
) -> None:
    def fail(_: object) -> Evaluation:
        raise UserCodeError(ErrorInfo(class_name="KeyError", message="'region'"))

    code_server.backend.schedule = fail
    publish(schedule(evaluated=True), schedule("typo", evaluated=False, target=TriggerTarget(job_name="jub")))
    loop.tick(turn(NOON + timedelta(hours=1)))
    until(settled(store_engine, 2))
    errors = sorted(tick.error.message for tick in ticks(store_engine) if tick.error is not None)
    assert errors[0] == "'region'"
    assert "did you mean 'job'" in errors[1]
    assert all_runs(store_engine) == []


def test_a_tick_waits_for_its_code_server(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], loop: Schedules
) -> None:
    calls: list[int] = []

    def answer(_: object) -> Evaluation:
        calls.append(1)
        if len(calls) < 3:
            raise UnavailableError("restarting")
        return Evaluation(requests=(RunRequestData(),))

    code_server.backend.schedule = answer
    now = datetime.now(UTC).replace(microsecond=0)
    publish(schedule(evaluated=True, cron=("* * * * * *",)))
    since(store_engine, now - timedelta(seconds=1))
    loop.tick(turn(now))
    until(lambda: loop.tick(turn(now)) and settled(store_engine, 1)())
    assert len(calls) == 3
    assert len(all_runs(store_engine)) == 1


def test_missed_ticks_are_recorded(store_engine: Engine, publish: Callable[..., None], loop: Schedules) -> None:
    publish(schedule("all", missed_ticks=MissedTicks.ALL, max_missed_ticks=2), schedule("skip", missed_ticks=MissedTicks.SKIP))
    loop.tick(turn(NOON + timedelta(hours=4, minutes=30)))
    until(settled(store_engine, 8))
    assert len(all_runs(store_engine)) == 2
    assert sum("No daemon took this tick in time" in (tick.skip_reason or "") for tick in ticks(store_engine)) == 6


def test_partitioned_ticks_launch_the_partition_that_ended(store_engine: Engine, publish: Callable[..., None], loop: Schedules) -> None:
    days = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2026, 1, 1, tzinfo=UTC))
    job = JobSnapshot(name="job", partitions=days, asset_keys=(AssetKey("a"),))
    publish(schedule(cron=("0 6 * * *",), partitioned=True), jobs=(job,))
    loop.tick(turn(NOON + timedelta(hours=18)))
    until(settled(store_engine, 1))
    (run,) = all_runs(store_engine)
    assert run.partition == ("2026-03-01",)
    assert run.asset_keys == (AssetKey("a"),)


def test_a_slow_schedule_delays_no_other(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], loop: Schedules
) -> None:
    go = threading.Event()

    def answer(question: object) -> Evaluation:
        if getattr(question, "name", "") == "slow":
            go.wait(60)
        return Evaluation(requests=(RunRequestData(),))

    code_server.backend.schedule = answer
    publish(schedule("quick", evaluated=True), schedule("slow", evaluated=True))
    for hour in (1, 2):
        loop.tick(turn(NOON + timedelta(hours=hour)))
    until(lambda: [tick.status for tick in ticks(store_engine)].count(TickStatus.SUCCESS) == 2)
    go.set()
    until(settled(store_engine, 4))
    assert len(all_runs(store_engine)) == 4


def test_ticks_of_a_dead_daemon_are_redone_once(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], servers: CodeServers
) -> None:
    publish(schedule(evaluated=True))
    go = threading.Event()

    def answer(_: object) -> Evaluation:
        go.wait(60)
        return Evaluation(requests=(RunRequestData(run_key="one"),))

    code_server.backend.schedule = answer
    dead, heir = (Schedules(store_engine, servers, Catalog(), timeout=60.0) for _ in range(2))
    dead.tick(turn(NOON + timedelta(hours=1)))
    until(lambda: code_server.backend.asked)
    # The first did not die: it lost its lease while it waits for user code, and finishes after all.
    assert heir.tick(turn(NOON + timedelta(hours=1, seconds=5))).facts["redone"] == 1
    until(lambda: len(code_server.backend.asked) == 2)
    go.set()
    until(settled(store_engine, 1))
    until(lambda: len(all_runs(store_engine)) == 1)
    for one in (dead, heir):
        one.loop().release()


def test_overlap(store_engine: Engine, publish: Callable[..., None], loop: Schedules) -> None:
    publish(*(schedule(policy.value, overlap=policy) for policy in Overlap))
    loop.tick(turn(NOON + timedelta(hours=1)))
    until(settled(store_engine, 4))
    loop.tick(turn(NOON + timedelta(hours=2)))
    until(lambda: sum(tick.status is TickStatus.STARTED for tick in ticks(store_engine)) == 1 and len(ticks(store_engine)) == 8)
    by_name = {name: [run for run in all_runs(store_engine) if run.trigger.name == name] for name in map(str, Overlap)}
    assert {name: len(found) for name, found in by_name.items()} == {"allow": 2, "skip": 1, "queue": 1, "cancel_old": 2}
    assert [run.status for run in by_name["cancel_old"]] == [RunStatus.CANCELED, RunStatus.QUEUED]
    assert any("policy for overlap is 'skip'" in (tick.skip_reason or "") for tick in ticks(store_engine))
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE runs SET status = 'CANCELED', ended_at = now() WHERE trigger_name = 'queue'"))
    until(lambda: loop.tick(turn(datetime.now(UTC).replace(year=2026, month=3, day=1, hour=14, minute=1))) and _late(store_engine))
    assert len([run for run in all_runs(store_engine) if run.trigger.name == "queue"]) == 2


def _late(engine: Engine) -> bool:
    return not any(tick.status is TickStatus.STARTED for tick in ticks(engine))


def test_two_daemons_make_one_run_per_tick(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], daemons: Callable[..., Runner]
) -> None:
    publish(schedule("seconds", cron=("* * * * * *",)), schedule("asked", cron=("*/2 * * * * *",), evaluated=True))
    since(store_engine, datetime.now(UTC))
    code_server.backend.schedule = lambda _: Evaluation(requests=(RunRequestData(),))
    first, second = daemons(), daemons()
    until(lambda: len(all_runs(store_engine)) >= 4)
    leader, other = (first, second) if first.owned("schedules") else (second, first)
    assert not other.owned("schedules")
    leader.stop()
    until(lambda: other.owned("schedules"))
    count = len(all_runs(store_engine))
    until(lambda: len(all_runs(store_engine)) >= count + 3)
    other.stop()
    found = ticks(store_engine)
    assert len({(tick.instigator_id, tick.scheduled_for) for tick in found}) == len(found)
    assert all(len(tick.run_ids) == 1 for tick in found if tick.status is TickStatus.SUCCESS)
    with store_engine.connect() as conn:
        (seconds,) = [one for one in instigators.list(conn, kind=InstigatorKind.SCHEDULE) if one.name == "seconds"]
    times = [tick.scheduled_for for tick in found if tick.instigator_id == seconds.instigator_id]
    assert [late - early for early, late in itertools.pairwise(times)] == [timedelta(seconds=1)] * (len(times) - 1)


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_thousand_ticks_in_one_second(
    store_engine: Engine, code_server: rig.CodeServer, publish: Callable[..., None], loop: Schedules, *, evaluated: bool
) -> None:
    code_server.backend.schedule = lambda _: Evaluation(requests=(RunRequestData(),))
    publish(*(schedule(f"s{at}", evaluated=evaluated) for at in range(1000)))
    began = time.monotonic()
    loop.tick(turn(NOON + timedelta(hours=1)))
    claimed = time.monotonic() - began
    until(settled(store_engine, 1000), seconds=90)
    print(f"\n1,000 ticks, evaluated={evaluated}: claimed {claimed:.2f} s, runs enqueued {time.monotonic() - began:.2f} s")
    assert len(all_runs(store_engine)) == 1000
