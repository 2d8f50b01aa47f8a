"""Runs on a real code server: launched, fenced, canceled, listed, reported from afar; and servers whose code cannot be forked or loaded."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
from tests.contract import code_server
from tests.contract.code_server import SECONDS, CodeServer, alive, descendants, until
from tests.contract.wire_backend import code_of

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_api.v1 import errors_pb2, evaluation_pb2
from dagwright_shared.model.errors import ConflictError, FencedError, InvalidRequestError, UnavailableError
from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, Payload, RunEvent, RunStarted, RunSucceeded
from dagwright_shared.model.keys import new_run_id
from dagwright_shared.model.runs import Run, RunStatus
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.model.ticks import PlanQuestion, ScheduleQuestion
from dagwright_shared.store import engine as store_engine
from dagwright_shared.store import runs
from dagwright_shared.wire.evaluation import encode_evaluate_schedule_request
from dagwright_shared.wire.events import encode_batch_message

pytestmark = [pytest.mark.contract, pytest.mark.xdist_group("code-server-runs")]
Starter: TypeAlias = Callable[[str], AbstractContextManager[CodeServer]]
Code = grpc.StatusCode
NOW = datetime.now(UTC)
STARTED = RunStarted(pid=1, host="far", executor="remote", steps=())
SMALL = """
import dagwright as dg
{extra}

@dg.op
def one():
    return 1


@dg.job(executor_def=dg.in_process_executor)
def small():
    one()


@dg.schedule(cron_schedule="0 6 * * *", job=small)
def morning(context):
    return dg.RunRequest(run_key="x")


defs = dg.Definitions(jobs=[small], schedules=[morning])
"""


@pytest.fixture
def other_server(code_server_database: str, tmp_path: Path, free_port: int) -> Iterator[Starter]:
    """Starts a code server of the test's own, with the source given."""
    engine = store_engine.create(code_server_database, name="tests")
    yield lambda source: code_server.start(tmp_path, source, code_server_database, engine, free_port)
    engine.dispose()


def batch(run: Run, *payloads: Payload, first: int = 1) -> EventBatch:
    events = tuple(RunEvent(seq=first + index, time=NOW, payload=payload) for index, payload in enumerate(payloads))
    return EventBatch(run_id=run.run_id, epoch=run.epoch, events=events)


def message(text: str) -> LogMessage:
    return LogMessage(level=LogLevel.INFO, message=text)


class TestLaunchRun:
    def test_events_arrive_in_order(self, server: CodeServer) -> None:
        run = server.finished(server.launched("small").run_id)
        assert (run.status, run.epoch) == (RunStatus.SUCCESS, 1)
        assert run.server_id == server.client.location().server_id
        events = server.events(run.run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1)) == list(range(1, run.last_seq + 1))
        assert events[-1].payload == RunSucceeded()
        with server.engine.connect() as conn:
            assert [(step.step_key, str(step.status)) for step in runs.steps(conn, run.run_id)] == [("one", "SUCCESS"), ("two", "SUCCESS")]

    def test_the_same_epoch_twice_is_one_worker(self, server: CodeServer) -> None:
        run = server.launched("held_job", tags={"case": "twice"})
        pid = server.announced(f"twice-{run.run_id}")
        server.client.launch_run(runs.launch_spec(run, 1000))
        (active,) = server.client.active_runs()
        assert (active.run_id, active.epoch, active.pid) == (run.run_id, 1, os.getsid(pid))
        server.release("twice")
        assert server.finished(run.run_id).status is RunStatus.SUCCESS
        assert sum(event.type == "RUN_STARTED" for event in server.events(run.run_id)) == 1
        until(lambda: not server.client.active_runs(), "the worker to leave the list")

    def test_a_newer_epoch_replaces_the_worker(self, server: CodeServer) -> None:
        first = server.launched("held_job", tags={"case": "newer"})
        step = server.announced(f"newer-{first.run_id}")
        old = os.getsid(step)
        with server.engine.begin() as conn:
            assert runs.requeue(conn, first.run_id, first.epoch, not_before=None, reason="moved")
        second = server.claim(first.run_id)
        assert second.epoch > first.epoch
        (server.signals / f"newer-{first.run_id}").unlink()
        server.client.launch_run(runs.launch_spec(second, 1000))
        server.announced(f"newer-{first.run_id}")
        until(lambda: not alive(old) and not alive(step), "the older attempt to end")
        assert [(active.run_id, active.epoch) for active in server.client.active_runs()] == [(first.run_id, second.epoch)]
        server.client.launch_run(runs.launch_spec(first, 1000))
        assert [active.epoch for active in server.client.active_runs()] == [second.epoch], "an older epoch changes nothing"
        server.release("newer")
        run = server.finished(first.run_id)
        assert (run.status, run.epoch) == (RunStatus.SUCCESS, second.epoch)
        events = server.events(run.run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))

    def test_what_cannot_be_planned_fails_the_run(self, server: CodeServer) -> None:
        run = server.finished(server.launched("no_such_job").run_id)
        assert run.status is RunStatus.FAILURE
        assert run.error is not None
        assert "no_such_job" in run.error.message

    @pytest.mark.parametrize(("changes", "paths"), [({"run_id": "x"}, ["run_id"]), ({"run_id": "x", "epoch": 0}, ["run_id", "epoch"])])
    def test_a_malformed_attempt(self, server: CodeServer, changes: dict[str, object], paths: list[str]) -> None:
        request = pb.LaunchRunRequest()
        request.spec.run_id, request.spec.epoch = new_run_id(), 1
        for name, value in changes.items():
            setattr(request.spec, name, value)
        code, detail = code_of(lambda: server.stub.LaunchRun(request, timeout=60))
        assert (code, [problem.path for problem in detail.problems]) == (Code.INVALID_ARGUMENT, paths)
        assert request.spec.run_id not in {active.run_id for active in server.client.active_runs()}


class TestCancelRun:
    @pytest.mark.parametrize(("job", "hard"), [("held_job", False), ("held_in_process", False), ("held_job", True)])
    def test_the_worker_and_its_steps_end(self, server: CodeServer, job: str, hard: bool) -> None:
        case = f"cancel-{job}-{hard}"
        run = server.launched(job, tags={"case": case})
        step = server.announced(f"{case}-{run.run_id}")
        worker = os.getsid(step)
        with server.engine.begin() as conn:
            runs.request_cancel(conn, run.run_id)
        assert server.client.cancel_run(run.run_id, run.epoch, hard=hard)
        until(lambda: not alive(step) and not alive(worker), "the processes of the run to end")
        until(lambda: not server.client.active_runs(), "the worker to leave the list")
        if hard:
            with server.engine.begin() as conn:  # as the recovery loop of the daemon does
                assert run.run_id in {lost.run_id for lost in until(lambda: self._lapsed(server), "its lease to end")}
                assert runs.cancel_lost(conn, run.run_id, run.epoch)
        assert server.finished(run.run_id).status is RunStatus.CANCELED

    @staticmethod
    def _lapsed(server: CodeServer) -> list[Run]:
        with server.engine.connect() as conn:
            return runs.lapsed(conn)

    def test_unknown(self, server: CodeServer) -> None:
        assert server.client.cancel_run(new_run_id(), 1) is False

    def test_another_epoch(self, server: CodeServer) -> None:
        run = server.launched("held_job", tags={"case": "other-epoch"})
        server.announced(f"other-epoch-{run.run_id}")
        assert server.client.cancel_run(run.run_id, run.epoch + 1) is False
        server.release("other-epoch")
        assert server.finished(run.run_id).status is RunStatus.SUCCESS

    def test_malformed(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.CancelRun(pb.CancelRunRequest(run_id="x", epoch=-1), timeout=60))
        assert (code, [problem.path for problem in detail.problems]) == (Code.INVALID_ARGUMENT, ["run_id", "epoch"])


class TestReportEvents:
    def test_committed_and_replayed(self, server: CodeServer) -> None:
        run = server.claimed()
        first, last = batch(run, STARTED, message("far away")), batch(run, RunSucceeded(), first=3)
        assert server.client.report_events([first]) == 2
        assert server.run(run.run_id).status is RunStatus.STARTED
        assert server.client.report_events([first]) == 2, "a replay is harmless"
        assert server.client.report_events([first, last]) == 3
        assert server.run(run.run_id).status is RunStatus.SUCCESS
        assert [event.seq for event in server.events(run.run_id)] == [1, 2, 3]
        assert server.client.report_events([last]) == 3, "also after the end, as its answer may have been lost"

    def test_an_old_epoch_is_fenced(self, server: CodeServer) -> None:
        old = server.claimed()
        assert server.client.report_events([batch(old, STARTED)]) == 1
        with server.engine.begin() as conn:
            assert runs.requeue(conn, old.run_id, old.epoch, not_before=None, reason="moved")
        server.claim(old.run_id)
        code, detail = code_of(lambda: server.stub.ReportEvents(iter([_report(batch(old, message("late"), first=2))]), timeout=60))
        assert (code, detail.kind) == (Code.ABORTED, errors_pb2.ERROR_KIND_FENCED)
        with pytest.raises(FencedError):
            server.client.report_events([batch(old, message("late"), first=2)])
        assert len(server.events(old.run_id)) == 1

    def test_a_run_that_does_not_exist(self, server: CodeServer) -> None:
        run = server.claimed()
        stranger = EventBatch(run_id=new_run_id(), epoch=1, events=batch(run, STARTED).events)
        with pytest.raises(FencedError):
            server.client.report_events([stranger])

    def test_a_gap_is_refused(self, server: CodeServer) -> None:
        run = server.claimed()
        with pytest.raises(InvalidRequestError) as caught:
            server.client.report_events([batch(run, STARTED), batch(run, RunSucceeded(), first=5)])
        assert caught.value.problems[0].expected == "event 2"
        assert server.run(run.run_id).status is RunStatus.STARTED
        assert len(server.events(run.run_id)) == 1

    def test_two_runs_in_one_stream(self, server: CodeServer) -> None:
        one, other = server.claimed(), server.claimed()
        with pytest.raises(InvalidRequestError, match="one attempt of one run"):
            server.client.report_events([batch(one, STARTED), batch(other, STARTED)])
        assert server.run(other.run_id).last_seq == 0

    def test_empty(self, server: CodeServer) -> None:
        assert server.client.report_events([]) is None

    def test_malformed(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.ReportEvents(iter([pb.ReportEventsRequest()]), timeout=60))
        assert (code, [problem.path for problem in detail.problems]) == (Code.INVALID_ARGUMENT, ["run_id", "epoch"])


class TestCodeThatLeavesAThreadRunning:
    EXTRA = "import threading\nthreading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()"

    def test_work_is_done_in_fresh_processes(self, other_server: Starter) -> None:
        with other_server(SMALL.format(extra=self.EXTRA)) as server:
            status = server.settled()
            assert status.state is LocationState.LOADED
            assert status.spawn_reason is not None
            assert "poller" in status.spawn_reason
            assert [step.key for step in server.client.plan_run(PlanQuestion(job_name="small"))] == ["one"]
            assert server.client.evaluate_schedule(ScheduleQuestion(name="morning", scheduled_for=NOW)).requests[0].run_key == "x"
            assert server.finished(server.launched("small").run_id).status is RunStatus.SUCCESS


class TestCodeThatNeverLoads:
    def test_each_call_says_why(self, other_server: Starter) -> None:
        with other_server("import dagwright as dg\n\nraise RuntimeError('no luck')\n") as server:
            status = server.settled()
            assert (status.state, status.digest) == (LocationState.ERROR, None)
            assert status.error is not None
            assert (status.error.frames[-1].file, status.error.frames[-1].line) == (str(server.file), 3)
            code, detail = code_of(lambda: list(server.stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=60)))
            assert code is Code.FAILED_PRECONDITION
            assert "RuntimeError: no luck" in detail.message
            with pytest.raises(ConflictError, match="no luck"):
                server.client.snapshot()
            with pytest.raises(UnavailableError, match="no luck"):
                server.client.plan_run(PlanQuestion(job_name="small"))
            run = server.claimed("small")
            with pytest.raises(UnavailableError, match="no luck"):
                server.client.launch_run(runs.launch_spec(run, 1000))
            assert server.run(run.run_id).status is RunStatus.STARTING, "it is the queue's to put back"

            server.file.write_text(SMALL.format(extra=""))
            assert server.client.reload().state is LocationState.LOADED
            server.client.launch_run(runs.launch_spec(run, 1000))
            assert server.finished(run.run_id).status is RunStatus.SUCCESS


def test_a_killed_code_server_leaves_no_process(other_server: Starter, server: CodeServer) -> None:
    """Neither template nor workers nor steps, nor user code that hangs in an evaluation."""
    with other_server(server.file.read_text()) as victim:
        mark = f"DAGWRIGHT_TEST_SIGNALS={victim.signals}\0"
        victim.settled()
        forked, in_process = (victim.launched(job, tags={"case": job}) for job in ("held_job", "held_in_process"))
        victim.announced(f"held_job-{forked.run_id}")
        victim.announced(f"held_in_process-{in_process.run_id}")
        pending = victim.stub.EvaluateSchedule.future(_schedule("hangs"), timeout=SECONDS)
        victim.announced("hangs")
        assert len(descendants(mark)) >= 6
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        until(lambda: not descendants(mark), "all its processes to end", 2)
        assert pending.exception().code() is Code.UNAVAILABLE


def test_a_stopped_code_server_leaves_no_process(other_server: Starter, server: CodeServer) -> None:
    with other_server(server.file.read_text()) as stopped:
        mark = f"DAGWRIGHT_TEST_SIGNALS={stopped.signals}\0"
        stopped.settled()
        run = stopped.launched("held_job", tags={"case": "stop"})
        stopped.announced(f"stop-{run.run_id}")
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.process.wait(60) == 0
        until(lambda: not descendants(mark), "all its processes to end", 2)


def _report(events: EventBatch) -> pb.ReportEventsRequest:
    return pb.ReportEventsRequest(batch=encode_batch_message(events))


def _schedule(name: str) -> evaluation_pb2.EvaluateScheduleRequest:
    encoded = encode_evaluate_schedule_request(ScheduleQuestion(name=name, scheduled_for=NOW))
    return evaluation_pb2.EvaluateScheduleRequest.FromString(encoded)
