"""All executors that need only this process, on the same definitions; then what only one of them must do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dagwright.authoring.assets import asset
from dagwright.authoring.jobs import job
from dagwright.authoring.ops import In, Nothing, Out, op
from dagwright.authoring.policies import Failure, RetryPolicy, RetryRequested
from dagwright.authoring.results import Output
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.threads import ThreadsExecutor
from dagwright.execution.ports import MemorySink
from dagwright_shared.model.events import (
    AssetFailed,
    EngineMessage,
    LogMessage,
    LogStream,
    RunCanceled,
    RunFailed,
    RunStarted,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepSucceeded,
)
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run
from tests.unit.execution.test_processes import alive

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))
    return tmp_path


EXECUTORS = {
    "in_process": InProcessExecutor,
    "multiprocess": lambda: MultiprocessExecutor(2),
    "threads": ThreadsExecutor,
    "asyncio": AsyncioExecutor,
}


@pytest.fixture(params=list(EXECUTORS))
def executor(request):
    return EXECUTORS[request.param]()


@op
def one(context) -> int:
    context.log.info("run %s", context.run_id)
    print("printed by one")
    return 1


@op
def add(a: int, b: int) -> int:
    return a + b


@op
def boom(a: int) -> int:
    raise ValueError(f"no {a}")


class TestAll:
    def test_values_flow_and_events_are_in_order(self, executor):
        @job
        def sums():
            add(one(), one())

        ran = run(sums, executor=executor)
        assert ran.status is RunStatus.SUCCESS
        assert [e.seq for e in ran.events] == list(range(1, len(ran.events) + 1))
        assert ran.events[0].event_type == "RUN_STARTED"
        assert ran.steps()[-3:] == [("add", "STEP_STARTED"), ("add", "STEP_SUCCEEDED"), (None, "RUN_SUCCEEDED")]
        started = ran.of(RunStarted)[0]
        assert [(s.key, s.op_name, s.depends_on) for s in started.steps] == [
            ("one", "one", ()),
            ("one_2", "one", ()),
            ("add", "add", ("one", "one_2")),
        ]
        assert ran.of(LogMessage, "one")[0].message == f"run {ran.run_id}"
        assert ran.sink.output("one") == b"printed by one\n"
        usage = ran.of(StepSucceeded, "one")[0].usage
        assert usage.cpu_seconds >= 0
        assert usage.peak_memory_bytes > 1 << 20
        assert all(e.time.tzinfo is not None for e in ran.events)

    def test_a_failure_skips_what_is_downstream_and_nothing_else(self, executor):
        @job
        def broken():
            x = one()
            add.alias("after")(boom(x), x)
            add.alias("fine")(x, x)

        ran = run(broken, executor=executor)
        assert ran.status is RunStatus.FAILURE
        assert ran.of(RunFailed)[0].failed_steps == ("boom",)
        error = ran.of(StepFailed, "boom")[0].error
        assert (error.class_name, error.message) == ("ValueError", "no 1")
        assert error.frames[-1].function == "boom"
        assert ran.of(StepSkipped, "after")[0].reason == "upstream step 'boom' failed"
        assert ran.of(StepSucceeded, "fine")

    def test_retries_until_it_works(self, executor):
        @op(retry_policy=RetryPolicy(max_retries=3, delay=0.02))
        def flaky(context) -> int:
            if context.retry_number < 2:
                raise ConnectionError(f"attempt {context.retry_number}")
            return context.retry_number

        @job
        def tries():
            flaky()

        ran = run(tries, executor=executor)
        assert ran.status is RunStatus.SUCCESS
        assert [(r.attempt, r.error.message, r.delay_seconds) for r in ran.of(StepRetrying)] == [
            (1, "attempt 0", 0.02),
            (2, "attempt 1", 0.02),
        ]
        assert ran.of(StepSucceeded)[0].attempt == 3

    def test_retry_requested_and_failures_that_forbid_it(self, executor):
        @op
        def asks(context) -> int:
            if context.retry_number == 0:
                raise RetryRequested(max_retries=1, seconds_to_wait=0.01) from KeyError("cause")
            return 1

        @op(retry_policy=RetryPolicy(max_retries=5))
        def hopeless(a: int) -> int:
            raise Failure("no use", metadata={"rows": 0}, allow_retries=False)

        @job
        def both():
            hopeless(asks())

        ran = run(both, executor=executor)
        assert [r.error.class_name for r in ran.of(StepRetrying)] == ["KeyError"]
        failed = ran.of(StepFailed, "hopeless")[0]
        assert failed.attempt == 1
        assert failed.error.metadata == {"rows": {"type": "int", "raw_value": 0}}

    @pytest.mark.parametrize(("kind", "words"), [(SystemExit, "SystemExit"), (KeyboardInterrupt, "KeyboardInterrupt")])
    def test_base_exceptions_of_user_code_fail_the_step(self, executor, kind, words):
        @op
        def leaves() -> int:
            raise kind(2)

        @job
        def left():
            leaves()

        ran = run(left, executor=executor)
        assert ran.status is RunStatus.FAILURE
        assert ran.of(StepFailed)[0].error.class_name == words

    def test_optional_outputs_generators_async_and_order_only(self, executor):
        @op(out={"left": Out(is_required=False), "right": Out(is_required=False)})
        def either():
            yield Output(7, "right")

        @op(ins={"start": In(Nothing)})
        async def later(a: int) -> int:
            return a * 2

        @op
        async def stream():
            yield Output(3)

        @op(out={"x": Out(), "y": Out()})
        def pair():
            return 1, 2

        @job
        def shapes():
            left, right = either()
            add.alias("never")(left, right)
            x, y = pair()
            later(add.alias("xy")(x, y), start=stream())

        ran = run(shapes, executor=executor)
        assert ran.status is RunStatus.SUCCESS, ran.events
        assert ran.of(StepSkipped)[0].reason == "upstream step 'either' did not produce its output 'left'"
        assert ran.of(StepSucceeded, "later")

    def test_fan_in_and_nested_graphs(self, executor):
        from dagwright.authoring.graphs import graph

        @op
        def total(numbers: list[int]) -> int:
            return sum(numbers)

        @graph
        def inner(n):
            return add(n, one())

        @job
        def nested():
            total([inner(one()), inner.alias("other")(one()), one()])

        ran = run(nested, executor=executor)
        assert ran.status is RunStatus.SUCCESS
        assert {s.key for s in ran.of(RunStarted)[0].steps} >= {"inner.add", "other.add", "inner.one", "total"}

    def test_assets_that_did_not_happen_are_told(self, executor):
        @asset
        def first():
            raise RuntimeError("x")

        @asset
        def second(first):
            return 1

        ran = run(first, second, executor=executor)
        assert [(f.asset_key.to_user_string(), f.reason) for f in ran.of(AssetFailed)] == [
            ("first", "step 'first' failed"),
            ("second", "upstream step 'first' failed"),
        ]

    def test_output_is_capped_and_the_first_part_kept(self, executor):
        @op
        def chatty():
            line = b"x" * 1023 + b"\n"
            for _ in range(10 * 1024):
                sys.stdout.buffer.write(line)
            sys.stderr.buffer.write(b"end")

        @job
        def talk():
            chatty()

        ran = run(talk, executor=executor)
        assert ran.status is RunStatus.SUCCESS
        assert len(ran.sink.output("chatty")) == 100_000
        assert ran.sink.output("chatty", LogStream.STDERR) == b"end"
        assert [c.truncated for c in ran.sink.chunks if c.stream is LogStream.STDOUT][-1]

    def test_re_execution_takes_outputs_of_the_earlier_run(self, executor):
        @op(retry_policy=None)
        def reads(a: int) -> int:
            if os.environ.get("BROKEN"):
                raise RuntimeError("x")
            return a

        @job
        def again():
            reads(add(one(), one()))

        os.environ["BROKEN"] = "1"
        try:
            first = run(again, executor=executor)
        finally:
            del os.environ["BROKEN"]
        assert first.status is RunStatus.FAILURE
        done = {e.step_key: first.run_id for e in first.events if isinstance(e.payload, StepSucceeded)}
        second = run(again, executor=executor, inherited=done)
        assert second.status is RunStatus.SUCCESS
        assert [e.step_key for e in second.events if isinstance(e.payload, StepSucceeded)] == ["reads"]

    def test_two_hundred_small_steps(self, executor):
        @op
        def nop() -> None:
            return None

        @job
        def many():
            for _ in range(200):
                nop()

        started = time.perf_counter()
        ran = run(many, executor=executor)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert len(ran.of(StepSucceeded)) == 200
        assert time.perf_counter() - started < 60  # a second or two on a quiet machine; the benches measure it

    def test_canceling_before_it_starts_starts_nothing(self, executor):
        @job
        def sums():
            add(one(), one())

        cancellation = Cancellation()
        cancellation.request("never mind")
        ran = run(sums, executor=executor, cancellation=cancellation)
        assert ran.status is RunStatus.CANCELED
        assert ran.steps() == [(None, "RUN_STARTED"), (None, "RUN_CANCELED")]
        assert ran.of(RunCanceled)[0].reason == "never mind"
        cancellation.close()


class CancelOn(MemorySink):
    """Asks the run to stop once a log line has come."""

    def __init__(self, text, act):
        super().__init__()
        self._text, self._act = text, act

    def emit(self, payload, step_key=None):
        super().emit(payload, step_key)
        if isinstance(payload, LogMessage) and payload.message.startswith(self._text):
            self._act()


class TestMultiprocess:
    @pytest.mark.parametrize(
        ("end", "words"),
        [
            (lambda: os._exit(3), "exit code 3"),
            (lambda: os.kill(os.getpid(), 9), "SIGKILL"),
            (os.abort, "SIGABRT"),
        ],
    )
    def test_a_process_that_ends_suddenly_fails_its_step_with_a_hint(self, end, words):
        @op
        def dies():
            print("last words", flush=True)
            end()

        @op
        def fine():
            pass

        @job
        def deadly():
            dies()
            fine()

        ran = run(deadly, executor=MultiprocessExecutor(2))
        failed = ran.of(StepFailed, "dies")[0]
        assert words in failed.error.message
        assert failed.error.hint
        assert failed.usage is not None
        assert b"last words" in ran.sink.output("dies")
        assert ran.of(StepSucceeded, "fine")

    def test_kill_minus_nine_then_a_retry_that_works(self):
        @op(retry_policy=RetryPolicy(max_retries=1))
        def phoenix(context):
            if context.retry_number == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        @job
        def rises():
            phoenix()

        ran = run(rises, executor=MultiprocessExecutor(1))
        assert ran.status is RunStatus.SUCCESS
        assert "SIGKILL" in ran.of(StepRetrying)[0].error.message

    def test_steps_run_at_the_same_time_up_to_the_limit(self, tmp_path):
        @op
        def waits(context):
            mine = tmp_path / context.step_key
            mine.touch()
            deadline = time.monotonic() + 60
            while len(list(tmp_path.glob("waits*"))) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.005)

        @job
        def pair():
            waits()
            waits()

        assert run(pair, executor=MultiprocessExecutor(2)).status is RunStatus.SUCCESS

    def test_canceling_runs_finally_blocks_and_leaves_no_process(self, tmp_path):
        @op
        def long(context):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            try:
                context.log.info("pids %s %s", os.getpid(), child.pid)
                time.sleep(600)
            finally:
                (tmp_path / "finally").touch()

        @op
        def after(a):
            pass

        @job
        def stops():
            after(long())

        cancellation = Cancellation()
        ran = run(stops, executor=MultiprocessExecutor(2), cancellation=cancellation, sink=CancelOn("pids", cancellation.request))
        assert ran.status is RunStatus.CANCELED
        assert ran.of(StepCanceled)[0].attempt == 1
        assert (tmp_path / "finally").exists()
        pids = [int(p) for p in ran.of(LogMessage)[0].message.split()[1:]]
        deadline = time.monotonic() + 60
        while any(alive(pid) for pid in pids):
            assert time.monotonic() < deadline
        cancellation.close()

    def test_a_step_that_ignores_the_request_is_killed_after_the_grace_time(self):
        @op
        def stubborn(context):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            context.log.info("ignoring")
            time.sleep(600)

        @job
        def stays():
            stubborn()

        cancellation = Cancellation()
        started = time.monotonic()
        ran = run(
            stays,
            executor=MultiprocessExecutor(1, cancel_grace=0.2),
            cancellation=cancellation,
            sink=CancelOn("ignoring", cancellation.request),
        )
        assert ran.status is RunStatus.CANCELED
        assert 0.2 <= time.monotonic() - started < 30
        cancellation.close()

    def test_a_thread_that_never_ends_does_not_hold_the_run_up(self):
        @op
        def leaves_a_thread():
            threading.Thread(target=time.sleep, args=(600,)).start()

        @job
        def threads():
            leaves_a_thread()

        ran = run(threads, executor=MultiprocessExecutor(1, exit_grace=0.2))
        assert ran.status is RunStatus.SUCCESS
        assert "did not end within" in ran.of(EngineMessage)[0].message

    def test_in_memory_values_are_refused_with_a_reason(self):
        from dagwright.execution.io_managers import InMemoryIOManager

        @job
        def sums():
            add(one(), one())

        ran = run(sums, executor=MultiprocessExecutor(1), resources={"io_manager": InMemoryIOManager()})
        assert "in-process executor" in ran.of(StepFailed, "add")[0].error.message


class TestInProcess:
    def test_a_signal_interrupts_user_code_once_and_cleans_up(self, tmp_path):
        before = signal.getsignal(signal.SIGUSR2)
        cancellation = Cancellation()
        cancellation.install([signal.SIGUSR2])

        @op
        def long(context):
            try:
                context.log.info("in it")
                time.sleep(600)
            finally:
                (tmp_path / "finally").touch()

        @job
        def stops():
            long()

        try:
            sink = CancelOn("in it", lambda: os.kill(os.getpid(), signal.SIGUSR2))
            ran = run(stops, executor=InProcessExecutor(), cancellation=cancellation, sink=sink)
        finally:
            signal.signal(signal.SIGUSR2, before)
            cancellation.close()
        assert ran.status is RunStatus.CANCELED
        assert (tmp_path / "finally").exists()
        assert ran.of(StepCanceled)
