"""What every executor must do in the same way."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import dagwright as dg
from dagwright.execution.ports import MemorySink
from dagwright.planning.executor_config import TagLimit
from dagwright_shared.model.events import (
    AssetMaterialized,
    CheckEvaluated,
    LogMessage,
    LogStream,
    RunStarted,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


class ActOn(MemorySink):
    """Does something once a log line has come."""

    def __init__(self, text, act):
        super().__init__()
        self._text, self._act = text, act

    def emit(self, payload, step_key=None):
        super().emit(payload, step_key)
        if isinstance(payload, LogMessage) and payload.message.startswith(self._text):
            self._act()


@dg.op
def number(context) -> int:
    context.log.info("in %s", context.op.name)
    return 20


@dg.op
async def later(context, n: int) -> int:
    context.log.info("in %s", context.op.name)
    await asyncio.sleep(0.01)
    return n + 1


@dg.op
def double(n: int) -> int:
    return n * 2


def job_of(*ops, name="made"):
    @dg.job(name=name)
    def made():
        for op in ops:
            op()

    return made


class TestOutcomes:
    def test_values_pass_between_steps_of_either_kind(self, make):
        seen = []

        @dg.op
        def check(context, n: int):
            context.log.info("got %s", n)

        @dg.job
        def flow():
            check(double(later(number())))

        executor = make()
        ran = run(flow, executor=executor)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert [m.message for m in ran.of(LogMessage)] == ["in number", "in later", "got 42"]
        assert [e.step_key for e in ran.events if isinstance(e.payload, LogMessage)] == ["number", "later", "check"]
        assert all(s.usage.cpu_seconds >= 0 and s.usage.peak_memory_bytes > 1 << 20 for s in ran.of(StepSucceeded))
        assert ran.of(RunStarted)[0].executor == executor.name
        assert [e.seq for e in ran.events] == list(range(1, len(ran.events) + 1))
        assert not seen

    def test_events_of_a_step_stand_between_its_start_and_its_end(self, make):
        @dg.op
        def chatty(context):
            for line in range(50):
                context.log.info("line %s", line)

        ran = run(job_of(*[chatty] * 8), executor=make())
        assert ran.status is RunStatus.SUCCESS
        for key in {s.key for s in ran.of(RunStarted)[0].steps}:
            own = [e.event_type for e in ran.events if e.step_key == key]
            assert own[0] == "STEP_STARTED"
            assert own[-1] == "STEP_SUCCEEDED"
            assert own.count("LOG_MESSAGE") == 50

    @pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
    @pytest.mark.parametrize("is_async", [False, True])
    def test_whatever_user_code_raises_fails_the_step_and_what_needs_it(self, make, kind, is_async):
        if is_async:

            @dg.op
            async def breaks() -> int:
                raise kind("no")
        else:

            @dg.op
            def breaks() -> int:
                raise kind("no")

        @dg.job
        def broken():
            double(breaks())
            number()

        ran = run(broken, executor=make())
        assert ran.status is RunStatus.FAILURE
        error = ran.of(StepFailed, "breaks")[0].error
        assert error.class_name.rpartition(".")[2] == kind.__name__
        assert error.frames[-1].function == "breaks"
        assert ran.of(StepSkipped, "double")
        assert ran.of(StepSucceeded, "number")

    def test_retries_with_delay(self, make):
        @dg.op(retry_policy=dg.RetryPolicy(max_retries=3, delay=0.1))
        def flaky(context):
            if context.retry_number < 2:
                raise ConnectionError(f"attempt {context.retry_number}")

        started = time.monotonic()
        ran = run(job_of(flaky), executor=make())
        assert ran.status is RunStatus.SUCCESS
        assert [(r.attempt, r.delay_seconds) for r in ran.of(StepRetrying)] == [(1, 0.1), (2, 0.1)]
        assert ran.of(StepSucceeded)[0].attempt == 3
        assert time.monotonic() - started >= 0.2

    def test_retries_without_end_of_others(self, make_concurrent):
        """A step that waits for its retry holds up nobody."""

        @dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=0.3))
        def flaky(context):
            if context.retry_number == 0:
                raise ConnectionError("x")

        ran = run(job_of(flaky, number), executor=make_concurrent(max_concurrent=1))
        assert ran.status is RunStatus.SUCCESS
        ends = [e.step_key for e in ran.events if isinstance(e.payload, StepSucceeded)]
        assert ends == ["number", "flaky"]

    def test_checks_and_a_blocking_check_that_fails(self, make):
        @dg.asset(check_specs=[dg.AssetCheckSpec("inside", asset="base")])
        def base():
            yield dg.Output(3)
            yield dg.AssetCheckResult(passed=True, check_name="inside")

        @dg.asset_check(asset=base, blocking=True)
        def never(base):
            return dg.AssetCheckResult(passed=base == 4, metadata={"value": base})

        @dg.asset
        def below(base):
            return base

        ran = run(base, never, below, executor=make())
        assert ran.status is RunStatus.FAILURE
        assert [(c.check_key.name, c.passed, c.blocking) for c in ran.of(CheckEvaluated)] == [
            ("inside", True, False),
            ("never", False, True),
        ]
        assert [m.asset_key.to_user_string() for m in ran.of(AssetMaterialized)] == ["base"]
        assert ran.of(StepSkipped, "below")

    def test_resources_are_set_up_once_for_steps_that_share_a_process_and_torn_down(self, make, tmp_path):
        class Store(dg.ConfigurableResource):
            folder: str

            @contextlib.contextmanager
            def yield_for_execution(self, context):
                with Path(self.folder, "log").open("a") as log:
                    log.write("up\n")
                    log.flush()
                    yield self
                    log.write("down\n")

        @dg.op
        def uses(store: Store):
            assert store.folder

        @dg.job
        def several():
            for _ in range(4):
                uses()

        executor = make()
        ran = run(several, executor=executor, resources={"store": Store(folder=str(tmp_path))})
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        log = (tmp_path / "log").read_text().split()
        assert log.count("up") == log.count("down")
        if "+" not in executor.name:
            assert log.count("up") == (4 if executor.name == "multiprocess" else 1)


class TestOutput:
    def test_each_step_has_what_it_printed(self, make):
        @dg.op
        def prints(context):
            for line in range(100):
                print(f"{context.step_key} {line}") if hasattr(context, "step_key") else print(f"{context.op.name} {line}")
            print("oops", file=sys.stderr)

        @dg.op
        async def prints_slowly():
            for line in range(10):
                print(f"slow {line}")
                await asyncio.sleep(0.001)
            await asyncio.to_thread(print, "from a thread")

        @dg.job
        def talk():
            for _ in range(5):
                prints()
                prints_slowly()

        out, err = sys.stdout, sys.stderr
        ran = run(talk, executor=make())
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        for suffix in ("", "_2", "_3", "_4", "_5"):
            lines = ran.sink.output(f"prints{suffix}").decode().splitlines()
            assert [int(line.split()[1]) for line in lines] == list(range(100))
            assert len({line.split()[0] for line in lines}) == 1
            assert ran.sink.output(f"prints{suffix}", LogStream.STDERR) == b"oops\n"
            assert ran.sink.output(f"prints_slowly{suffix}").decode().splitlines() == [*[f"slow {n}" for n in range(10)], "from a thread"]
        assert (sys.stdout, sys.stderr) == (out, err)

    def test_offsets_fit_together_and_the_cap_holds(self, make):
        @dg.op
        def much():
            for _ in range(3000):
                print("x" * 99)

        ran = run(job_of(much), executor=make())
        chunks = [c for c in ran.sink.chunks if c.stream is LogStream.STDOUT]
        position = 0
        for chunk in chunks:
            assert chunk.offset == position
            position += len(chunk.data)
        assert position == 100_000
        assert chunks[-1].truncated

    def test_output_appears_while_the_step_runs(self, make_concurrent, tmp_path):
        class Waits(MemorySink):
            def chunk(self, chunk):
                super().chunk(chunk)
                (tmp_path / "seen").touch()

        @dg.op
        def slow():
            print("early", flush=True)
            deadline = time.monotonic() + 60
            while not (tmp_path / "seen").exists():
                assert time.monotonic() < deadline, "nobody looked at the output"
                time.sleep(0.01)

        assert run(job_of(slow), executor=make_concurrent(), sink=Waits()).status is RunStatus.SUCCESS


def waits_in_python(seconds=30.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.005)


class TestStopping:
    @pytest.mark.parametrize("is_async", [False, True])
    def test_cancel_stops_what_runs_and_starts_nothing_more(self, make, cancellation, tmp_path, is_async):
        if is_async:

            @dg.op
            async def long(context):
                try:
                    context.log.info("in it")
                    for _ in range(3000):
                        await asyncio.sleep(0.01)
                finally:
                    context.log.info("cleaned up")
                    (tmp_path / "finally").touch()
        else:

            @dg.op
            def long(context):
                try:
                    context.log.info("in it")
                    waits_in_python()
                finally:
                    context.log.info("cleaned up")
                    (tmp_path / "finally").touch()

        @dg.op
        def after(a):
            pass

        @dg.job
        def stops():
            after(long())

        executor = make()
        before = signal.getsignal(signal.SIGUSR2)
        cancellation.install([signal.SIGUSR2])
        try:
            # By a signal, as the code server asks: a handler interrupts code in the main thread.
            sink = ActOn(
                "in it", lambda: signal.raise_signal(signal.SIGUSR2) if executor.name == "in_process" else cancellation.request("why")
            )
            started = time.monotonic()
            ran = run(stops, executor=executor, cancellation=cancellation, sink=sink)
        finally:
            signal.signal(signal.SIGUSR2, before)
        assert ran.status is RunStatus.CANCELED
        assert time.monotonic() - started < 25, "the step would go on for longer"
        assert [e.step_key for e in ran.events if isinstance(e.payload, StepCanceled)] == ["long"]
        assert (tmp_path / "finally").exists()
        assert "cleaned up" in [m.message for m in ran.of(LogMessage)]
        assert not ran.of(StepStarted, "after")

    @pytest.mark.parametrize("is_async", [False, True])
    def test_a_step_that_runs_past_its_limit_fails_and_says_which(self, make, is_async):
        if is_async:

            @dg.op(timeout=0.2)
            async def slow():
                await asyncio.sleep(30)
        else:

            @dg.op(timeout=0.2)
            def slow():
                waits_in_python()

        started = time.monotonic()
        ran = run(job_of(slow, number), executor=make())
        assert 0.2 <= time.monotonic() - started < 25
        assert ran.status is RunStatus.FAILURE
        error = ran.of(StepFailed, "slow")[0].error
        assert error.class_name == "StepTimedOut"
        assert "limit of 0.2 s" in error.message
        assert ran.of(StepSucceeded, "number")

    def test_a_limit_counts_each_attempt_and_is_retried_by_the_policy(self, make):
        @dg.op(timeout=0.3, retry_policy=dg.RetryPolicy(max_retries=1))
        def slow_once(context):
            if context.retry_number == 0:
                waits_in_python()

        ran = run(job_of(slow_once), executor=make())
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert ran.of(StepRetrying)[0].error.class_name == "StepTimedOut"

    def test_a_step_within_its_limit_is_left_alone(self, make):
        @dg.op(timeout=60)
        def quick():
            pass

        started = time.monotonic()
        assert run(job_of(*[quick] * 3), executor=make()).status is RunStatus.SUCCESS
        assert time.monotonic() - started < 50

    def test_a_step_that_does_not_react_is_given_up(self, make_concurrent):
        release = threading.Event()

        @dg.op(timeout=0.1)
        def stuck():
            with contextlib.suppress(BaseException):
                release.wait(60)
            with contextlib.suppress(BaseException):
                release.wait(60)

        started = time.monotonic()
        ran = run(job_of(stuck, number), executor=make_concurrent(cancel_grace=0.2))
        release.set()
        assert time.monotonic() - started < 50
        assert ran.of(StepFailed, "stuck")[0].error.class_name == "StepTimedOut"
        assert ran.of(StepSucceeded, "number")


class TestConcurrency:
    def overlap(self, ran, keys):
        """The most of these steps that ran at the same time."""
        now, most = 0, 0
        for event in ran.events:
            if event.step_key in keys:
                now += isinstance(event.payload, StepStarted)
                now -= isinstance(event.payload, (StepSucceeded, StepFailed, StepRetrying))
                most = max(most, now)
        return most

    def test_max_concurrent_holds_and_is_used(self, make_concurrent, tmp_path):
        @dg.op
        def meets(context):
            (tmp_path / context.op.name.replace("/", "_") / "x").parent.mkdir(exist_ok=True)
            mine = tmp_path / f"here-{threading.get_ident()}-{time.monotonic_ns()}"
            mine.touch()
            deadline = time.monotonic() + 60
            while len(list(tmp_path.glob("here-*"))) < 3:
                assert time.monotonic() < deadline, "the steps did not run at once"
                time.sleep(0.005)

        ran = run(job_of(*[meets] * 6), executor=make_concurrent(max_concurrent=3))
        assert ran.status is RunStatus.SUCCESS
        assert self.overlap(ran, {s.key for s in ran.of(RunStarted)[0].steps}) == 3

    def test_tag_limits(self, make_concurrent):
        @dg.op(tags={"database": "small"})
        def small():
            time.sleep(0.01)

        @dg.op(tags={"database": "large"})
        def large():
            time.sleep(0.01)

        @dg.op
        def free():
            time.sleep(0.01)

        limits = [TagLimit(key="database", value="small", limit=1), TagLimit(key="database", limit=2)]
        ran = run(job_of(*[small] * 4, *[large] * 4, *[free] * 4), executor=make_concurrent(max_concurrent=6, tag_limits=limits))
        assert ran.status is RunStatus.SUCCESS
        keys = [s.key for s in ran.of(RunStarted)[0].steps]
        assert self.overlap(ran, {k for k in keys if k.startswith("small")}) == 1
        assert self.overlap(ran, {k for k in keys if not k.startswith("free")}) <= 2
        assert self.overlap(ran, set(keys)) > 2

    def test_a_limit_for_each_value(self, make_concurrent):
        @dg.op
        def step():
            time.sleep(0.01)

        @dg.job
        def tagged():
            for value in ("a", "b"):
                for _ in range(3):
                    step.tag({"host": value})()

        limit = TagLimit.model_validate({"key": "host", "value": {"applyLimitPerUniqueValue": True}, "limit": 1})
        ran = run(tagged, executor=make_concurrent(max_concurrent=6, tag_limits=[limit]))
        assert ran.status is RunStatus.SUCCESS
        keys = [s.key for s in ran.of(RunStarted)[0].steps]
        assert self.overlap(ran, set(keys[:3])) == 1
        assert self.overlap(ran, set(keys[3:])) == 1

    def test_canceling_while_steps_are_held_back(self, make_concurrent, cancellation):
        @dg.op(tags={"one": "1"})
        def long(context):
            context.log.info("in it")
            waits_in_python()

        limits = [TagLimit(key="one", limit=1)]
        executor = make_concurrent(max_concurrent=4, tag_limits=limits)
        ran = run(job_of(*[long] * 5), executor=executor, cancellation=cancellation, sink=ActOn("in it", cancellation.request))
        assert ran.status is RunStatus.CANCELED
        assert len(ran.of(StepStarted)) == len(ran.of(StepCanceled)) == 1
