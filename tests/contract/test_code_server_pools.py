"""Slots of pools: steps of different runs take turns, in every executor, and no slot outlives the attempt that holds it."""

from __future__ import annotations

import os
import signal

import pytest
from tests.contract.code_server import CodeServer, until

from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import Run, RunStatus
from dagwright_shared.store import pools, runs

pytestmark = [pytest.mark.contract, pytest.mark.xdist_group("code-server-pools")]
POOL = "one_at_a_time"
EXECUTORS = ["in_process", "multiprocess", "threads", "asyncio"]


@pytest.fixture(autouse=True)
def one_slot(server: CodeServer) -> None:
    with server.engine.begin() as conn:
        pools.define(conn, POOL, 1)


def slots(server: CodeServer) -> tuple[list[str], list[str]]:
    """The runs that hold a slot, and those that wait for one."""
    with server.engine.connect() as conn:
        found = pools.slots(conn, [POOL])
    return [slot.run_id for slot in found if slot.acquired_at], [slot.run_id for slot in found if not slot.acquired_at]


def started(server: CodeServer, run: Run) -> set[str | None]:
    return {event.step_key for event in server.events(run.run_id) if event.type == "STEP_STARTED"}


def waits(server: CodeServer, run: Run) -> bool:
    return any("waits for a slot of pool" in event.message for event in server.events(run.run_id) if event.step_key == "pooled")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_steps_take_turns_and_others_go_ahead(server: CodeServer, executor: str) -> None:
    first, second = f"first-{executor}", f"second-{executor}"
    holder = server.launched(f"pooled_{executor}", tags={"case": first})
    server.announced(f"{first}-{holder.run_id}")
    waiter = server.launched(f"pooled_{executor}", tags={"case": second})
    until(lambda: waits(server, waiter), "the second run to say that it waits")
    assert slots(server) == ([holder.run_id], [waiter.run_id])
    until(lambda: "beside" in started(server, waiter), "what needs no slot to run meanwhile")
    assert "pooled" not in started(server, waiter)
    server.release(first)
    server.announced(f"{second}-{waiter.run_id}")
    assert slots(server) == ([waiter.run_id], [])
    server.release(second)
    assert [server.finished(run.run_id).status for run in (holder, waiter)] == [RunStatus.SUCCESS] * 2
    assert slots(server) == ([], [])


def test_priority_goes_first_and_more_slots_let_others_in(server: CodeServer) -> None:
    holder = server.launched("pooled_threads", tags={"case": "order-1"})
    server.announced(f"order-1-{holder.run_id}")
    low = server.launched("pooled_threads", tags={"case": "order-2"})
    until(lambda: slots(server)[1] == [low.run_id], "the first to wait")
    high = server.launched("pooled_threads", tags={"case": "order-3"}, priority=5)
    until(lambda: slots(server)[1] == [high.run_id, low.run_id], "the second to wait before it")
    with server.engine.begin() as conn:
        pools.define(conn, POOL, 2)
    server.announced(f"order-3-{high.run_id}")
    assert slots(server)[1] == [low.run_id]
    for case in ("order-1", "order-2", "order-3"):
        server.release(case)
    assert {server.finished(run.run_id).status for run in (holder, low, high)} == {RunStatus.SUCCESS}
    assert slots(server) == ([], [])


def test_a_retry_asks_again(server: CodeServer) -> None:
    server.release("retry")
    run = server.launched("pooled_multiprocess", tags={"case": "retry", "again": "yes"})
    assert server.finished(run.run_id).status is RunStatus.SUCCESS
    assert [event.type for event in server.events(run.run_id) if event.step_key == "pooled"].count("STEP_STARTED") == 2
    assert slots(server) == ([], [])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_canceled_while_it_waits(server: CodeServer, executor: str) -> None:
    first, second = f"kept-{executor}", f"canceled-{executor}"
    holder = server.launched(f"pooled_{executor}", tags={"case": first})
    server.announced(f"{first}-{holder.run_id}")
    waiter = server.launched(f"pooled_{executor}", tags={"case": second})
    until(lambda: slots(server)[1], "the second to wait")
    with server.engine.begin() as conn:
        runs.request_cancel(conn, waiter.run_id)
    assert server.client.cancel_run(waiter.run_id, waiter.epoch)
    assert server.finished(waiter.run_id).status is RunStatus.CANCELED
    assert slots(server) == ([holder.run_id], [])
    server.release(first)
    server.finished(holder.run_id)


def test_a_killed_worker_frees_its_slot_at_once(server: CodeServer) -> None:
    victim = server.launched("pooled_multiprocess", tags={"case": "killed"})
    worker = os.getsid(server.announced(f"killed-{victim.run_id}"))
    heir = server.launched("pooled_multiprocess", tags={"case": "heir"})
    until(lambda: slots(server)[1], "the second to wait")
    os.kill(worker, signal.SIGKILL)
    server.announced(f"heir-{heir.run_id}")
    assert server.run(victim.run_id).status is RunStatus.STARTED  # recovery has yet to settle it
    assert slots(server) == ([heir.run_id], [])
    server.release("heir")
    assert server.finished(heir.run_id).status is RunStatus.SUCCESS


def test_by_tag(server: CodeServer) -> None:
    with server.engine.begin() as conn:
        pools.define(conn, POOL, 0)
    run = server.launched("tagged_job")
    until(lambda: slots(server)[1] == [run.run_id], "it to wait: the pool has no slots")
    with server.engine.begin() as conn:
        pools.remove(conn, POOL)  # without a limit, and without a default of the deployment, nobody waits
    assert server.finished(run.run_id).status is RunStatus.SUCCESS
    with server.engine.connect() as conn:
        assert pools.list(conn, Limits()) == ()
