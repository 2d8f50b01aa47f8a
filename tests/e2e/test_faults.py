"""Processes are killed in the middle of runs: no run stays STARTED, no event is doubled, a retried run succeeds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, alive, children, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("faults")]
PIPELINE = Path(__file__).parent / "location" / "pipeline.py"
FOUND_WITHIN = 60.0
"""15 s by its settings; much else is at work on the machine of the tests."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start(tmp_path_factory.mktemp("faults") / "home", "-f", str(PIPELINE)) as running:
        yield running


def held(stack: Stack, case: str, job: str = "held_job", **tags: str) -> tuple[str, int]:
    """Launch a run whose middle step waits; returns the run and the pid of that step."""
    run_id = stack.launch(job=job, tags={"case": case, **tags})
    return run_id, stack.announced(f"held-{case}")


def retry_of(stack: Stack, run_id: str) -> Any:
    def probe() -> Any:
        runs = stack.get("/api/v1/runs", limit=50)["items"]
        return next((run for run in runs if run.get("parent_run_id") == run_id), None)

    return until(probe, FOUND_WITHIN, f"a retry of {run_id}")


def check_events(stack: Stack, run_id: str) -> list[Any]:
    events = stack.events(run_id)
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1)), "events are numbered without gaps or repeats"
    return events


def test_a_killed_step_is_retried_by_its_policy(stack: Stack) -> None:
    run_id, pid = held(stack, "kill-step", "step_retry_job")
    os.kill(pid, signal.SIGKILL)
    run = stack.finished(run_id)
    assert run["status"] == "SUCCESS"
    assert run["steps"][0]["attempt"] == 2
    kinds = [event["type"] for event in check_events(stack, run_id)]
    assert kinds.count("STEP_RETRYING") == 1


def test_a_killed_step_without_a_policy_fails_the_run_and_says_why(stack: Stack) -> None:
    run_id, pid = held(stack, "kill-step-plain")
    os.kill(pid, signal.SIGKILL)
    run = stack.finished(run_id)
    assert run["status"] == "FAILURE"
    failure = next(event for event in check_events(stack, run_id) if event["type"] == "STEP_FAILED")
    assert "SIGKILL" in str(failure)


@pytest.mark.parametrize("job", ["held_job", "held_in_process_job"])
def test_a_killed_run_worker_is_found_and_its_run_retried_from_the_failure(stack: Stack, job: str) -> None:
    case = f"kill-worker-{job}"
    counter = stack.signals / "before.count"
    ran_before = len(counter.read_text()) if counter.exists() else 0
    run_id, step_pid = held(stack, case, job, **{"dagwright/max_retries": "1"})
    worker = os.getsid(step_pid)
    os.kill(worker, signal.SIGKILL)
    run = stack.finished(run_id, FOUND_WITHIN)
    assert run["status"] == "FAILURE"
    until(lambda: not alive(step_pid), 5, "the step to end, as its worker has")
    stack.release(f"held-{case}")
    retried = stack.finished(retry_of(stack, run_id)["run_id"])
    assert retried["status"] == "SUCCESS"
    assert len(counter.read_text()) - ran_before == 1, "the step that had succeeded was not executed again"
    check_events(stack, run_id)
    check_events(stack, retried["run_id"])


def test_runs_survive_the_death_of_the_template(stack: Stack) -> None:
    run_id, _ = held(stack, "kill-template")
    (template,) = [pid for pid in children(stack.service_pids()["code_server"]) if alive(pid)]
    os.kill(template, signal.SIGKILL)
    other = stack.launch(job="one_op")
    assert stack.finished(other)["status"] == "SUCCESS", "a new template serves new runs"
    stack.release("held-kill-template")
    assert stack.finished(run_id)["status"] == "SUCCESS"
    check_events(stack, run_id)


def test_a_killed_code_server_loses_its_runs_and_they_are_retried(stack: Stack) -> None:
    run_id, step_pid = held(stack, "kill-code-server", **{"dagwright/max_retries": "1"})
    os.kill(stack.service_pids()["code_server"], signal.SIGKILL)
    run = stack.finished(run_id, FOUND_WITHIN)
    assert run["status"] == "FAILURE"
    until(lambda: not alive(step_pid), 5, "the orphaned step to end")
    stack.release("held-kill-code-server")
    assert stack.finished(retry_of(stack, run_id)["run_id"])["status"] == "SUCCESS"
    check_events(stack, run_id)


@pytest.mark.parametrize("service", ["daemon", "webserver"])
def test_runs_go_on_while_a_service_is_killed(stack: Stack, service: str) -> None:
    run_id, _ = held(stack, f"kill-{service}")
    os.kill(stack.service_pids()[service], signal.SIGKILL)
    stack.release(f"held-kill-{service}")
    assert stack.finished(run_id)["status"] == "SUCCESS"
    check_events(stack, run_id)
    assert stack.finished(stack.launch(job="one_op"))["status"] == "SUCCESS", "the restarted service works"


def test_runs_survive_a_restart_of_postgres(stack: Stack) -> None:
    run_id, _ = held(stack, "restart-postgres")
    before = stack.service_pids()["postgres"]
    os.kill(before, signal.SIGINT)  # Postgres' fast shutdown: it breaks all connections
    until(lambda: not alive(before), 10, "Postgres to stop")
    stack.release("held-restart-postgres")
    run = stack.finished(run_id, 30)
    assert (run["status"], run["retry_number"]) == ("SUCCESS", 0)
    check_events(stack, run_id)
    until(stack.ready, 15, "the stack to be ready again")
    assert stack.finished(stack.launch(job="one_op"), 30)["status"] == "SUCCESS"


def test_cancel_leaves_no_process(stack: Stack) -> None:
    run_id, step_pid = held(stack, "cancel")
    worker = os.getsid(step_pid)
    stack.post(f"/api/v1/runs/{run_id}/cancel", expect=202)
    assert stack.finished(run_id)["status"] == "CANCELED"
    until(lambda: not alive(step_pid) and not alive(worker), 5, "the processes of the run to end")
    check_events(stack, run_id)


def test_a_schedule_ticks_once_each_second_also_over_the_death_of_the_daemon(stack: Stack) -> None:
    stack.post("/api/v1/schedules/every_second/start", expect=200)

    def scheduled() -> list[Any]:
        return list(stack.get("/api/v1/runs", trigger="schedule", limit=200)["items"])

    until(lambda: len(scheduled()) >= 2, 15, "two scheduled runs")
    os.kill(stack.service_pids()["daemon"], signal.SIGKILL)
    seen = len(scheduled())
    until(lambda: len(scheduled()) >= seen + 2, 30, "two more scheduled runs, by the restarted daemon")
    stack.post("/api/v1/schedules/every_second/stop", expect=200)
    runs = [stack.finished(run["run_id"]) for run in scheduled()]
    assert {run["status"] for run in runs} == {"SUCCESS"}
    ticks = stack.get("/api/v1/schedules/every_second/ticks", limit=200)["items"]
    times = [tick["scheduled_for"] for tick in ticks]
    assert len(times) == len(set(times)), "one tick for each scheduled time"
    keys = [run["run_key"] for run in runs]
    assert len(keys) == len(set(keys)), "one run for each tick"


def test_nothing_is_left_unfinished(stack: Stack) -> None:
    for status in ("STARTED", "STARTING", "CANCELING", "QUEUED"):
        assert stack.get("/api/v1/runs", status=status)["items"] == [], status
