"""The Dask executor on a real scheduler with two worker processes, which import the location's code by themselves."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from tests.unit.execution.running import Ran, spec

from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.choice import make
from dagwright.execution.ports import MemorySink
from dagwright.execution.run import execute
from dagwright.loading.load import LoadTarget, load
from dagwright.planning.executor_config import DaskConfig
from dagwright.planning.plan import plan_run
from dagwright_shared.model.events import (
    AssetMaterialized,
    CheckEvaluated,
    LogMessage,
    LogStream,
    RunFailed,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.runs import RunStatus

distributed = pytest.importorskip("distributed")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default"), pytest.mark.xdist_group("dask")]

TARGET = LoadTarget(file=str(Path(__file__).with_name("cluster_jobs.py")), attribute="defs")


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    return tmp_path_factory.mktemp("signals")


@pytest.fixture(scope="module")
def address(tmp_path_factory, signals):
    before = dict(os.environ)
    os.environ |= {"DAGWRIGHT_HOME": str(tmp_path_factory.mktemp("home")), "DAGWRIGHT_TEST_SIGNALS": str(signals)}
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, resources={"GPU": 1}
        ) as cluster:
            yield cluster.scheduler_address
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def clean(signals):
    for path in signals.iterdir():
        path.unlink()


def run(address, job=None, *, assets=(), cancellation=None, sink=None, **config):
    definitions = load(TARGET)
    keys = tuple(AssetKey.from_user_string(a) for a in assets)
    launched = spec(job_name=job, asset_keys=keys)
    plan = plan_run(definitions, job_name=job, asset_keys=keys)
    sink = sink or MemorySink()
    status = execute(
        definitions,
        plan,
        spec=launched,
        sink=sink,
        cancellation=cancellation or Cancellation(),
        executor=make(DaskConfig(address=address, **config)),
        origin=partial(load, TARGET),
    )
    return Ran(status, sink, launched.run_id)


def until(probe, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Acts(MemorySink):
    def __init__(self, text, act):
        super().__init__()
        self._text, self._act = text, act

    def emit(self, payload, step_key=None):
        super().emit(payload, step_key)
        if isinstance(payload, LogMessage) and payload.message.startswith(self._text):
            self._act()


class OneSlot(MemorySink):
    """A sink with a pool of one slot, as the code server offers it. A step that ends frees it."""

    def __init__(self):
        super().__init__()
        self._waiting, self._news, self._holder = [], [], None
        self._bell, self._rope = os.pipe()

    def want_slot(self, step_key, attempt, pool):
        assert pool == "database"
        self._waiting.append(step_key)
        self._news.append((step_key, False))
        self._hand_out()

    def unwant_slot(self, step_key, attempt, pool):
        raise AssertionError(f"{step_key} did not start")

    def slot_news(self):
        news, self._news = self._news, []
        return news

    def bell(self):
        return self._bell

    def emit(self, payload, step_key=None):
        super().emit(payload, step_key)
        if isinstance(payload, StepSucceeded) and step_key == self._holder:
            self._holder = None
            self._hand_out()

    def _hand_out(self):
        if self._holder is None and self._waiting:
            self._holder = self._waiting.pop(0)
            self._news.append((self._holder, True))

    def close(self):
        os.close(self._bell)
        os.close(self._rope)


def test_steps_of_a_pool_take_turns_on_the_workers(address):
    sink = OneSlot()
    ran = run(address, "shares_a_pool", sink=sink)
    sink.close()
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
    turns = [
        (type(event.payload), event.step_key)
        for event in ran.events
        if isinstance(event.payload, StepStarted | StepSucceeded) and event.step_key.startswith("pooled")
    ]
    keys = [key for kind, key in turns if kind is StepStarted]
    assert sorted(keys) == ["pooled_0", "pooled_1", "pooled_2"]
    assert turns == [(kind, key) for key in keys for kind in (StepStarted, StepSucceeded)]
    assert ran.of(StepSucceeded, "beside_the_pool")


def test_values_output_and_resources(address):
    ran = run(address, "flow")
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
    assert ran.of(LogMessage, "total")[0].message == "total 80"
    assert ran.of(LogMessage, "double")[0].message.endswith("there")
    assert ran.sink.output("number") == b"printed\n"
    assert ran.sink.output("second", LogStream.STDERR) == b"warned\n"
    pids = {message.message.split()[1] for message in ran.of(LogMessage) if message.message.startswith("pid")}
    assert str(os.getpid()) not in pids
    started = ran.of(StepStarted, "number")[0]
    assert str(started.pid) in pids
    assert [e.seq for e in ran.events] == list(range(1, len(ran.events) + 1))


def test_failure_skip_and_retries(address):
    ran = run(address, "troubled")
    assert ran.status is RunStatus.FAILURE
    error = ran.of(StepFailed, "boom")[0].error
    assert (error.class_name, error.message, error.frames[-1].function) == ("ValueError", "no", "boom")
    assert ran.sink.output("boom") == b"before\n"
    assert ran.of(StepSkipped, "total")
    assert [r.attempt for r in ran.of(StepRetrying)] == [1, 2]
    assert ran.of(StepSucceeded, "flaky")[0].attempt == 3


def test_a_killed_worker_loses_the_attempt_and_not_the_step(address, signals):
    def kill():
        until((signals / "held-0").exists)
        until((signals / "held-0").read_text)
        os.kill(int((signals / "held-0").read_text()), signal.SIGKILL)
        until((signals / "held-1").exists)
        (signals / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    ran = run(address, "survives")
    killer.join()
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
    retries = ran.of(StepRetrying, "held")
    assert [r.error.class_name for r in retries] == ["WorkerLost"]
    assert [s.attempt for s in ran.of(StepStarted, "held")] == [1, 2]
    assert ran.of(LogMessage, "total")[0].message == "total 21"


def processes(ran):
    return {event.step_key: event.payload.message for event in ran.events if isinstance(event.payload, LogMessage)}


def test_a_step_group_runs_in_one_worker_and_shares_what_it_sets_up(address):
    ran = run(address, "grouped")
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
    where = processes(ran)
    for index in range(3):
        assert len({pid for key, pid in where.items() if key.split("_")[1] == str(index)}) == 1
    assert [ran.sink.output(key) for key in ("begin_0", "link_0_0", "link_0_1")] == [b"begin\n", b"link 1\n", b"link 2\n"]


def test_a_killed_worker_loses_a_step_of_a_group_and_the_group_goes_on_elsewhere(address, signals):
    def kill():
        until((signals / "held-0").exists)
        until((signals / "held-0").read_text)
        os.kill(int((signals / "held-0").read_text()), signal.SIGKILL)
        until((signals / "held-1").exists)
        (signals / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    ran = run(address, "group_survives")
    killer.join()
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
    assert [r.error.class_name for r in ran.of(StepRetrying, "held_in_group")] == ["WorkerLost"]
    where = processes(ran)
    assert where["first"] != where["held_in_group"] == where["last"]


def test_cancel_interrupts_what_runs_and_drops_what_waits(address, signals):
    cancellation = Cancellation()
    ran = run(address, "stops", cancellation=cancellation, sink=Acts("in it", cancellation.request))
    cancellation.close()
    assert ran.status is RunStatus.CANCELED
    assert 1 <= len(ran.of(StepStarted)) == len(ran.of(StepCanceled)) <= 2
    assert (signals / "finally").exists()


def test_time_limit(address):
    ran = run(address, "overdue")
    assert ran.status is RunStatus.FAILURE
    assert ran.of(StepFailed)[0].error.class_name == "StepTimedOut"


def test_resources_of_a_step_are_those_of_a_worker(address):
    ran = run(address, "heavies")
    assert ran.status is RunStatus.SUCCESS, ran.of(StepFailed)


def test_many_events_arrive_in_order(address):
    ran = run(address, "talks")
    assert [m.message for m in ran.of(LogMessage)] == [f"line {n}" for n in range(5000)]


def test_blocking_checks_and_values_of_assets(address):
    ran = run(address, assets=["base", "below", "beside", "after_beside"])
    assert ran.status is RunStatus.FAILURE
    made = {m.asset_key.to_user_string(): m for m in ran.of(AssetMaterialized)}
    assert set(made) == {"base", "beside", "after_beside"}
    # What the run itself has made counts for the data versions.
    assert made["after_beside"].input_data_versions == {"beside": made["beside"].data_version}
    assert [(c.passed, c.blocking) for c in ran.of(CheckEvaluated)] == [(False, True)]
    assert ran.of(StepSkipped, "below")


def test_a_cluster_that_is_not_there_is_said_so():
    ran = run("tcp://127.0.0.1:9", "flow", connect_timeout_seconds=1.0)
    assert ran.status is RunStatus.FAILURE
    error = ran.of(RunFailed)[0].error
    assert "does not answer" in error.message


def test_a_cluster_that_is_started_for_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))
    ran = run(None, "flow", n_workers=1)
    assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed) + ran.of(StepFailed)
