"""Recovery: lapsed leases, retries, and when a lapse is believed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.recovery import Recovery
from dagwright_daemon.runner import Runner
from dagwright_shared.decide.recovery import Patience
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model.events import PlannedStep, RunFailed, RunStarted, StepFailed, StepStarted, StepSucceeded, Usage
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.model.runs import Run, RunStatus, TriggerKind
from dagwright_shared.store import events, run_list, runs


def recovery(engine: Engine, *, trusts: bool = True, retries: RetryDefaults | None = None) -> Recovery:
    return Recovery(
        engine,
        trusts_lapses=lambda _: trusts,
        lease_seconds=9.0,
        retries=retries or RetryDefaults(),
        patience=Patience(),
        max_resumes=0,
    )


def turn() -> Turn:
    return Turn(now=datetime.now(UTC))


def get(engine: Engine, run_id: RunId) -> Run:
    with engine.connect() as conn:
        run = runs.get(conn, run_id)
    assert run is not None
    return run


def lost(engine: Engine) -> Run:
    """A claimed run whose lease has lapsed."""
    with engine.begin() as conn:
        run = build.claimed(conn)
        runs.end_lease(conn, run.run_id, run.epoch, reason="the worker was killed by signal 9")
    return run


def report(engine: Engine, run: Run, *payloads: object) -> None:
    with engine.begin() as conn:
        events.append(conn, [build.batch(run, payloads)])  # type: ignore[arg-type]


def test_a_claim_without_a_worker_is_launched_again_and_fails_at_the_third(store_engine: Engine) -> None:
    run = lost(store_engine)
    for launches in (1, 2):
        assert recovery(store_engine).tick(turn()).done == 1
        found = get(store_engine, run.run_id)
        assert (found.status, found.launch_attempts) == (RunStatus.QUEUED, launches)
        assert found.not_before is not None
        with store_engine.begin() as conn:
            conn.execute(text("UPDATE runs SET not_before = NULL"))
            assert len(runs.claim(conn, limit=1, lease_seconds=0)) == 1
    recovery(store_engine).tick(turn())
    found = get(store_engine, run.run_id)
    assert found.status is RunStatus.FAILURE
    assert found.error is not None
    assert "no worker reported after 3 launches" in found.error.message


def test_a_lost_worker_fails_its_run(store_engine: Engine) -> None:
    run = lost(store_engine)
    report(store_engine, run, build.planned("a"), ("a", StepStarted(attempt=1, pid=1)))
    with store_engine.begin() as conn:
        runs.end_lease(conn, run.run_id, run.epoch, reason="the worker was killed by signal 9")
    recovery(store_engine).tick(turn())
    found = get(store_engine, run.run_id)
    assert found.status is RunStatus.FAILURE
    assert found.error is not None
    assert "killed by signal 9" in found.error.message
    with store_engine.begin() as conn:
        answer = events.append(conn, [build.batch(run, [build.planned("a")], first=9)])
    assert answer[run.run_id] is None


def test_a_lost_worker_of_a_canceling_run_cancels_it(store_engine: Engine) -> None:
    run = lost(store_engine)
    with store_engine.begin() as conn:
        runs.request_cancel(conn, run.run_id)
    recovery(store_engine).tick(turn())
    assert get(store_engine, run.run_id).status is RunStatus.CANCELED


def test_lapses_are_left_alone_after_the_database_was_away(store_engine: Engine) -> None:
    run = lost(store_engine)
    assert recovery(store_engine, trusts=False).tick(turn()).done == 0
    assert get(store_engine, run.run_id).status is RunStatus.STARTING


def test_a_failed_run_is_retried_from_failure(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        run = build.claimed(conn, tags={"dagwright/max_retries": "1"})
    usage = Usage(cpu_seconds=0, peak_memory_bytes=0)
    steps = (PlannedStep(key=StepKey("a"), op_name="a"), PlannedStep(key=StepKey("b"), op_name="b", depends_on=(StepKey("a"),)))
    report(
        store_engine,
        run,
        RunStarted(pid=1, host="h", executor="e", steps=steps),
        ("a", StepStarted(attempt=1, pid=1)),
        ("a", StepSucceeded(attempt=1, usage=usage)),
        ("b", StepStarted(attempt=1, pid=1)),
        ("b", StepFailed(attempt=1, error=build.ERROR)),
        RunFailed(failed_steps=(StepKey("b"),)),
    )
    for _ in range(2):
        recovery(store_engine).tick(turn())
    with store_engine.connect() as conn:
        new, old = run_list.list_page(conn).items
    assert old.run_id == run.run_id
    assert (new.parent_run_id, new.root_run_id, new.retry_number, new.trigger.kind) == (run.run_id, run.run_id, 1, TriggerKind.RETRY)
    assert (new.inherited, new.step_keys) == ({"a": run.run_id}, ("b",))


def test_a_lost_worker_has_a_successor_that_goes_on(
    store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner]
) -> None:
    steps = (PlannedStep(key=StepKey("a"), op_name="a"), PlannedStep(key=StepKey("b"), op_name="b", depends_on=(StepKey("a"),)))
    done = ("a", StepSucceeded(attempt=1, usage=Usage(cpu_seconds=0, peak_memory_bytes=0)))
    with store_engine.begin() as conn:
        run = build.claimed(conn, tags={"dagwright/max_resumes": "1"})
    report(store_engine, run, RunStarted(pid=1, host="h", executor="e", steps=steps), ("a", StepStarted(attempt=1, pid=1)), done)
    with store_engine.begin() as conn:
        runs.end_lease(conn, run.run_id, run.epoch, reason="the worker was killed by signal 9")
    recovery(store_engine).tick(turn())
    assert (get(store_engine, run.run_id).status, get(store_engine, run.run_id).resumes) == (RunStatus.QUEUED, 1)
    daemons()
    until(lambda: get(store_engine, run.run_id).status is RunStatus.SUCCESS)
    (spec,) = code_server.backend.launched
    assert (spec.epoch, spec.step_keys, spec.inherited, spec.first_seq) == (2, ("b",), {"a": run.run_id}, 4)


def test_a_run_whose_steps_are_all_done_needs_no_successor(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        run = build.claimed(conn, tags={"dagwright/max_resumes": "1"})
    done = ("a", StepSucceeded(attempt=1, usage=Usage(cpu_seconds=0, peak_memory_bytes=0)))
    report(store_engine, run, build.planned("a"), ("a", StepStarted(attempt=1, pid=1)), done)
    with store_engine.begin() as conn:
        runs.end_lease(conn, run.run_id, run.epoch, reason="the worker was killed by signal 9")
    recovery(store_engine).tick(turn())
    assert get(store_engine, run.run_id).status is RunStatus.SUCCESS


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("status = 'STARTED', started_at = clock_timestamp() - interval '61 seconds'", RunStatus.FAILURE, "longer than its limit of 60 s"),
        ("status = 'STARTED', started_at = clock_timestamp() - interval '59 seconds'", RunStatus.STARTED, ""),
        ("claimed_at = clock_timestamp() - interval '31 seconds'", RunStatus.QUEUED, "no worker reported within 30 s"),
        ("status = 'CANCELING', canceling_at = clock_timestamp() - interval '61 seconds'", RunStatus.CANCELED, "did not stop within 60 s"),
    ],
)
def test_what_takes_too_long_ends_although_its_lease_holds(store_engine: Engine, change: str, status: RunStatus, said: str) -> None:
    with store_engine.begin() as conn:
        run = build.claimed(conn, tags={"dagster/max_runtime": "60"})
        conn.execute(text(f"UPDATE runs SET {change}"))
    recovery(store_engine).tick(turn())
    found = get(store_engine, run.run_id)
    assert found.status is status
    assert said in (found.status_reason or "")
    with store_engine.begin() as conn:
        renewed = runs.renew(conn, [(run.run_id, run.epoch)], seconds=9, server_id="s")
    assert bool(renewed) is (status is RunStatus.STARTED), "the worker of a run that was given up is fenced off"


@pytest.mark.parametrize("retries", [0, 2])
def test_a_daemon_retries_as_often_as_it_may(
    store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner], retries: int
) -> None:
    code_server.backend.work = lambda _: [RunFailed(error=build.ERROR)]
    daemon = daemons(run_max_retries=retries)
    until(lambda: daemon.owned("queue") and daemon.owned("recovery"))
    with store_engine.begin() as conn:
        build.queued(conn)
    until(lambda: len(code_server.backend.launched) == retries + 1)
    until(lambda: _decided(store_engine))
    assert len(code_server.backend.launched) == retries + 1


def _decided(engine: Engine) -> bool:
    with engine.connect() as conn:
        return conn.execute(text("SELECT bool_and(retried AND status = 'FAILURE') FROM runs")).scalar() is True
