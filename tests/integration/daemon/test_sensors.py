"""Sensors: interval, cursor, run keys, skip reasons, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.sensors import Sensors
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.errors import ErrorInfo, UserCodeError
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import Overlap, SensorSnapshot, TriggerTarget
from dagwright_shared.model.ticks import (
    DynamicPartitionsRequest,
    Evaluation,
    Instigator,
    InstigatorKind,
    RunRequestData,
    SensorQuestion,
    Tick,
    TickStatus,
)
from dagwright_shared.store import dynamic_partitions, instigators, run_list

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def loop(store_engine: Engine, code_server: rig.CodeServer, servers: CodeServers) -> Iterator[Sensors]:
    sensor = SensorSnapshot(name="files", targets=(TriggerTarget(job_name="job"),), default_running=True, minimum_interval_seconds=30)
    backend = code_server.backend
    backend.snapshot_value = replace(backend.snapshot_value, sensors=(sensor,))
    code_server.publish()
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE instigators SET running_since = :moment"), {"moment": NOON})
    made = Sensors(store_engine, servers, Catalog(), timeout=60.0)
    yield made
    made.loop().release()


def ticks(engine: Engine) -> list[Tick]:
    with engine.connect() as conn:
        return list(instigators.ticks(conn).items)[::-1]


def sensor_row(engine: Engine) -> Instigator:
    with engine.connect() as conn:
        return instigators.get(conn, InstigatorKind.SENSOR, "files")


def turn(seconds: float) -> Turn:
    return Turn(now=NOON + timedelta(seconds=seconds))


def done(engine: Engine, loop: Sensors, count: int) -> Callable[[], bool]:
    return lambda: len(found := ticks(engine)) == count and all(tick.status is not TickStatus.STARTED for tick in found)


def test_cursor_keys_and_interval(store_engine: Engine, code_server: rig.CodeServer, loop: Sensors) -> None:
    questions: list[SensorQuestion] = []
    answers = [
        Evaluation(requests=(RunRequestData(run_key="a"), RunRequestData(run_key="b")), cursor="1"),
        Evaluation(requests=(RunRequestData(run_key="b"),), cursor="2"),
        Evaluation(skip_reason="nothing new"),
    ]

    def answer(question: SensorQuestion) -> Evaluation:
        questions.append(question)
        return answers.pop(0)

    code_server.backend.sensor = answer
    for count, seconds in enumerate((0, 31, 62), 1):
        assert loop.tick(turn(seconds)).done == 1
        until(done(store_engine, loop, count))
        until(lambda at=seconds: loop.tick(turn(at + 5)).done == 0)  # type: ignore[misc]
    first, second, third = ticks(store_engine)
    assert [question.cursor for question in questions] == [None, "1", "2"]
    assert [question.last_run_key for question in questions] == [None, "b", "b"]
    assert (first.status, len(first.run_ids)) == (TickStatus.SUCCESS, 2)
    assert (second.status, second.run_ids) == (TickStatus.SKIPPED, ())
    assert "exists already" in (second.skip_reason or "")
    assert (third.skip_reason, sensor_row(store_engine).cursor) == ("nothing new", "2")
    with store_engine.connect() as conn:
        keys = {run.run_key for run in run_list.list_page(conn).items}
    assert keys == {"sensor:here:files:a", "sensor:here:files:b"}


def test_a_failure_keeps_the_cursor(store_engine: Engine, code_server: rig.CodeServer, loop: Sensors) -> None:
    def fail(_: SensorQuestion) -> Evaluation:
        raise UserCodeError(ErrorInfo(class_name="OSError", message="no such bucket"))

    code_server.backend.sensor = fail
    loop.tick(turn(0))
    until(done(store_engine, loop, 1))
    (tick,) = ticks(store_engine)
    assert tick.error is not None
    assert (tick.status, tick.error.message, sensor_row(store_engine).cursor) == (TickStatus.FAILURE, "no such bucket", None)


def test_partitions_are_added_with_the_runs(store_engine: Engine, code_server: rig.CodeServer, loop: Sensors) -> None:
    change = DynamicPartitionsRequest(name="files", add=("x.csv",))
    code_server.backend.sensor = lambda _: Evaluation(requests=(RunRequestData(),), dynamic_partitions=(change,))
    loop.tick(turn(0))
    until(done(store_engine, loop, 1))
    with store_engine.connect() as conn:
        assert dynamic_partitions.keys(conn, "files") == ["x.csv"]
        assert len(run_list.list_page(conn).items) == 1


@pytest.mark.parametrize("policy", [Overlap.SKIP, Overlap.CANCEL_OLD])
def test_overlap_with_an_earlier_run(store_engine: Engine, code_server: rig.CodeServer, loop: Sensors, policy: Overlap) -> None:
    backend = code_server.backend
    (sensor,) = backend.snapshot_value.sensors
    backend.snapshot_value = replace(backend.snapshot_value, sensors=(replace(sensor, overlap=policy),))
    code_server.publish()
    backend.sensor = lambda question: Evaluation(requests=(RunRequestData(run_key=str(question.cursor)),), cursor=f"{question.cursor}+")
    for count, seconds in enumerate((0, 31), 1):
        assert loop.tick(turn(seconds)).done == 1
        until(done(store_engine, loop, count))
        until(lambda at=seconds: loop.tick(turn(at + 5)).done == 0)  # type: ignore[misc]
    _, second = ticks(store_engine)
    with store_engine.connect() as conn:
        statuses = [run.status for run in run_list.list_page(conn).items]
    if policy is Overlap.SKIP:
        assert "The sensor's earlier run" in (second.skip_reason or "")
        assert (len(backend.asked), sensor_row(store_engine).cursor) == (1, "None+"), "it was not even asked"
        assert statuses == [RunStatus.QUEUED]
    else:
        assert second.status is TickStatus.SUCCESS
        assert statuses == [RunStatus.QUEUED, RunStatus.CANCELED]
