"""The queue against a real database and a real channel."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.queue import Queue
from dagwright_daemon.runner import Runner
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.errors import InvalidRequestError, UnavailableError
from dagwright_shared.model.events import Payload
from dagwright_shared.model.keys import RunId
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import RunStatus, Trigger, TriggerKind
from dagwright_shared.model.snapshot import JobSnapshot, NodeSnapshot
from dagwright_shared.store import limits, pools, runs


def status(engine: Engine, run_id: RunId) -> RunStatus:
    with engine.connect() as conn:
        run = runs.get(conn, run_id)
    assert run is not None
    return run.status


def turn(**ahead: float) -> Turn:
    return Turn(now=datetime.now(UTC) + timedelta(**ahead))


def enqueue(engine: Engine, count: int = 1, **fields: object) -> list[RunId]:
    new = [build.new_run(**fields) for _ in range(count)]
    with engine.begin() as conn:
        return runs.enqueue(conn, new)


@pytest.fixture
def queue(store_engine: Engine, servers: CodeServers) -> Iterator[Queue]:
    settings = Limits(max_concurrent_runs=3)
    made = Queue(store_engine, servers, Catalog(), settings=settings, launch_timeout=30.0, lease_seconds=9.0, log_limit_bytes=1000)
    yield made
    made.release()


def test_launches_by_priority_within_the_limit(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    backend = code_server.backend
    backend.work = lambda _: []
    (low,) = enqueue(store_engine, priority=-1)
    normal = enqueue(store_engine, 3)
    (high,) = enqueue(store_engine, priority=5)
    assert queue.tick(turn()).done == 3
    until(lambda: len(backend.launched) == 3)
    assert {spec.run_id for spec in backend.launched} == {high, *normal[:2]}
    assert queue.tick(turn()).done == 0
    assert status(store_engine, low) is RunStatus.QUEUED


def test_room_is_made_by_runs_that_end(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    enqueue(store_engine, 7)
    launched = 0
    for expected in (3, 3, 1, 0):
        assert queue.tick(turn()).done == expected
        launched += expected
        until(lambda count=launched: len(code_server.backend.launched) == count)  # type: ignore[misc]
        until(lambda: all(status(store_engine, spec.run_id).is_final for spec in code_server.backend.launched))


def test_background_runs_leave_places_for_people(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    code_server.backend.work = lambda _: []
    background = enqueue(store_engine, 5, trigger=Trigger(kind=TriggerKind.BACKFILL), priority=9)
    assert queue.tick(turn()).done == 2, "one of the three places is kept"
    (person,) = enqueue(store_engine)
    assert queue.tick(turn()).done == 1
    until(lambda: len(code_server.backend.launched) == 3)
    assert {spec.run_id for spec in code_server.backend.launched} == {person, *background[:2]}


def test_limits_by_tag_and_location_and_pools_of_whole_runs(
    store_engine: Engine, code_server: rig.CodeServer, queue: Queue, backend: rig.Backend
) -> None:
    backend.work = lambda _: []
    nodes = (NodeSnapshot(handle="a", op_name="a", pool="db"), NodeSnapshot(handle="b", op_name="b"))
    backend.become(dataclasses.replace(backend.snapshot_value, jobs=(JobSnapshot(name="job", nodes=nodes),)))
    code_server.register()
    code_server.publish()
    with store_engine.begin() as conn:
        pools.define(conn, "db", 2)
        given = {"tag_concurrency_limits": [{"key": "team", "limit": 1}], "pool_granularity": "run", "max_concurrent_runs": 9}
        limits.change(conn, Limits(), given)
    teams = enqueue(store_engine, 1500, tags={"team": "a"})
    others = enqueue(store_engine, 3)
    assert queue.tick(turn()).done == 2, "the pool has two slots"
    until(lambda: len(backend.launched) == 2)
    assert {spec.run_id for spec in backend.launched} == {teams[0], others[0]}, "the many that wait do not hide the others"
    with store_engine.begin() as conn:
        limits.change(conn, Limits(), {"location_limits": {rig.HERE: 3}})
        pools.define(conn, "db", 9)
    assert queue.tick(turn()).done == 1
    with store_engine.connect() as conn:
        assert pools.usage(conn, Limits())["db"] == (3, 9)
    backend.tell_end(backend.launched[0])
    with store_engine.connect() as conn:
        assert pools.usage(conn, Limits())["db"] == (2, 9)


def test_a_launch_in_hand_is_vouched_for_and_then_is_not(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    """The claim lasts as long as a lease, not as a launch may take: who dies after the answer is found like any other."""
    go = threading.Event()

    def work(_: object) -> list[Payload]:
        go.wait(rig.SECONDS)
        return []

    code_server.backend.work = work
    (run_id,) = enqueue(store_engine)
    queue.tick(turn())
    until(lambda: code_server.backend.launched_at)

    def lease() -> float:
        with store_engine.begin() as conn:
            left = conn.execute(text("SELECT extract(epoch FROM lease_expires_at - clock_timestamp()) FROM runs")).scalar_one()
        return float(left)

    assert lease() <= 9.0
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE runs SET lease_expires_at = clock_timestamp()"))
    queue.tick(turn())
    assert lease() > 5.0
    go.set()
    until(lambda: not queue.launching)
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE runs SET lease_expires_at = clock_timestamp(), status = 'STARTING'"))
    queue.tick(turn())
    assert lease() <= 0.0
    assert run_id


def test_an_unavailable_code_server_puts_the_run_back(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    code_server.backend.refuse = lambda _: UnavailableError("busy")
    (run_id,) = enqueue(store_engine)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.QUEUED)
    with store_engine.connect() as conn:
        run = runs.get(conn, run_id)
    assert run is not None
    assert run.not_before is not None
    assert "did not take the run" in (run.status_reason or "")
    assert run.launch_attempts == 1
    code_server.backend.refuse = lambda _: None
    until(lambda: queue.tick(turn()).done)
    until(lambda: status(store_engine, run_id) is RunStatus.SUCCESS)


def test_a_code_server_that_is_gone_puts_the_run_back(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    (run_id,) = enqueue(store_engine)
    code_server.stop()
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.QUEUED)


def test_a_refused_run_fails_with_the_reason(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    code_server.backend.refuse = lambda _: InvalidRequestError("no such step 'x'")
    (run_id,) = enqueue(store_engine)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.FAILURE)
    with store_engine.connect() as conn:
        run = runs.get(conn, run_id)
    assert run is not None
    assert run.error is not None
    assert "no such step 'x'" in run.error.message


def test_one_stuck_launch_holds_up_nobody(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    go, backend = threading.Event(), code_server.backend
    (stuck,) = enqueue(store_engine, priority=1)

    def refuse(spec: object) -> None:
        if getattr(spec, "run_id", None) == stuck:
            go.wait(60)

    backend.refuse = refuse
    others = enqueue(store_engine, 2)
    queue.tick(turn())
    until(lambda: all(status(store_engine, run_id) is RunStatus.SUCCESS for run_id in others))
    assert status(store_engine, stuck) is RunStatus.STARTING
    go.set()
    until(lambda: status(store_engine, stuck) is RunStatus.SUCCESS)


def test_without_a_code_server_runs_stay_queued(store_engine: Engine, queue: Queue) -> None:
    (run_id,) = enqueue(store_engine)
    assert queue.tick(turn()).done == 0
    assert status(store_engine, run_id) is RunStatus.QUEUED


def test_cancel_reaches_the_worker(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    code_server.backend.work = lambda _: []
    (run_id,) = enqueue(store_engine)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.STARTED)
    with store_engine.begin() as conn:
        runs.request_cancel(conn, run_id)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.CANCELED)


def test_a_canceled_run_without_a_worker_is_canceled(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    code_server.backend.work = lambda _: []
    (run_id,) = enqueue(store_engine)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.STARTED)
    code_server.backend.workers.clear()
    with store_engine.begin() as conn:
        runs.request_cancel(conn, run_id)
    queue.tick(turn())
    until(lambda: status(store_engine, run_id) is RunStatus.CANCELED)


def test_a_daemon_launches_within_milliseconds(store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner]) -> None:
    daemon = daemons(max_concurrent_runs=200)
    until(lambda: daemon.owned("queue"))
    backend, took = code_server.backend, []
    for _ in range(20):
        began = time.monotonic()
        (run_id,) = enqueue(store_engine)
        until(lambda: run_id in backend.launched_at)  # noqa: B023
        took.append(backend.launched_at[run_id] - began)
        until(lambda: status(store_engine, run_id) is RunStatus.SUCCESS)  # noqa: B023
    took.sort()
    print(f"\nenqueue to launch: p50 {took[10] * 1000:.1f} ms, worst {took[-1] * 1000:.1f} ms")
    assert took[0] < 0.1  # the best of them: others are at work on this machine too
    began = time.monotonic()
    many = set(enqueue(store_engine, 100))
    until(lambda: many <= set(backend.launched_at))
    print(f"100 launches: {max(backend.launched_at[one] for one in many) - began:.2f} s")


def test_a_code_server_that_fails_is_tried_with_one_run_at_a_time(store_engine: Engine, code_server: rig.CodeServer, queue: Queue) -> None:
    backend, tried = code_server.backend, []

    def refuse(spec: object) -> UnavailableError:
        tried.append(spec)
        return UnavailableError("busy")

    backend.refuse = refuse
    many = enqueue(store_engine, 50)
    begin = turn()  # the moment of the turns that come too early, however long all takes
    queue.tick(begin)
    until(lambda: len(tried) == 3)
    until(lambda: all(status(store_engine, run_id) is RunStatus.QUEUED for run_id in many))
    assert queue.tick(begin).done == 0
    until(lambda: queue.tick(turn()).done == 1)
    until(lambda: len(tried) == 4)
    until(lambda: all(status(store_engine, run_id) is RunStatus.QUEUED for run_id in many))
    assert queue.tick(begin).done == 0
    backend.refuse = lambda _: None
    until(lambda: queue.tick(turn()) and all(status(store_engine, run_id) is RunStatus.SUCCESS for run_id in many))
