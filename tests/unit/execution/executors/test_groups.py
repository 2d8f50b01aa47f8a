"""Step groups behave the same with every executor; with those that make processes, a group has one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import dagwright as dg
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.events import (
    LogMessage,
    RunStarted,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.executors.test_every import ActOn, waits_in_python
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


@dg.op(step_group="chain")
def start(context) -> int:
    context.log.info("%s", os.getpid())
    print("start")
    return 1


@dg.op(step_group="chain")
def link(context, n: int) -> int:
    context.log.info("%s", os.getpid())
    print(f"link {n}")
    return n + 1


@dg.op
def outside(context, n: int) -> int:
    context.log.info("%s", os.getpid())
    return n


@dg.job
def chain():
    outside(link.alias("c")(link.alias("b")(start.alias("a")())))


def processes(ran):
    return {event.step_key: event.payload.message for event in ran.events if isinstance(event.payload, LogMessage)}


class TestRunning:
    def test_a_chain_runs_in_one_process(self, make):
        executor = make()
        ran = run(chain, executor=executor)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        where = processes(ran)
        assert [event.step_key for event in ran.events if isinstance(event.payload, StepSucceeded)] == ["a", "b", "c", "outside"]
        if executor.name == "multiprocess":
            assert where["a"] == where["b"] == where["c"] != where["outside"]
        assert [step.step_group for step in ran.of(RunStarted)[0].steps] == ["chain", "chain", "chain", None]
        assert [ran.sink.output(key).decode() for key in "abc"] == ["start\n", "link 1\n", "link 2\n"]
        offsets = {(chunk.step_key, chunk.offset) for chunk in ran.sink.chunks}
        assert offsets >= {("a", 0), ("b", 0), ("c", 0)}

    def test_values_may_stay_in_memory_and_resources_are_set_up_once(self, make, tmp_path):
        if make.__name__ == "mixed":
            pytest.skip("its steps are spread over executors whatever their group")

        @dg.resource
        def noted(context):
            with (tmp_path / "log").open("a") as log:
                log.write("up ")
            yield 1
            with (tmp_path / "log").open("a") as log:
                log.write("down ")

        @dg.op(step_group="g", required_resource_keys={"noted"})
        def first() -> int:
            return 1

        @dg.op(step_group="g", required_resource_keys={"noted"})
        def second(n: int):
            assert n == 1

        @dg.job(resource_defs={"noted": noted, "io_manager": dg.mem_io_manager})
        def memory():
            second(first())

        ran = run(memory, executor=make())
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert (tmp_path / "log").read_text() == "up down "

    def test_steps_of_a_group_do_not_overlap(self, make_concurrent):
        @dg.op(step_group="g")
        def one():
            time.sleep(0.01)

        @dg.job
        def several():
            for _ in range(5):
                one()

        ran = run(several, executor=make_concurrent(max_concurrent=4))
        assert ran.status is RunStatus.SUCCESS
        kinds = [type(event.payload) for event in ran.events if isinstance(event.payload, StepStarted | StepSucceeded)]
        assert kinds == [StepStarted, StepSucceeded] * 5

    def test_mapped_steps_have_a_group_for_each_key(self, make):
        @dg.op(out=dg.DynamicOut())
        def keys():
            for key in "ab":
                yield dg.DynamicOutput(1, key)

        @dg.job
        def mapped():
            keys().map(link.alias("inner")).map(link.alias("outer"))

        executor = make()
        ran = run(mapped, executor=executor)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        where = processes(ran)
        if executor.name == "multiprocess":
            assert where["inner[a]"] == where["outer[a]"]
            assert where["inner[b]"] == where["outer[b]"] != where["inner[a]"]

    def test_many_groups_at_once(self, make):
        @dg.job
        def wide():
            for index in range(12):
                first = start.tag({"dagwright/step_group": f"g{index}"}).alias(f"first_{index}")()
                link.tag({"dagwright/step_group": f"g{index}"}).alias(f"then_{index}")(first)

        ran = run(wide, executor=make())
        assert ran.status is RunStatus.SUCCESS
        assert len(ran.of(StepSucceeded)) == 24


class TestTrouble:
    def test_a_retry_stays_in_its_group_and_a_failure_ends_what_needs_it(self, make):
        @dg.op(step_group="g", retry_policy=dg.RetryPolicy(max_retries=2))
        def flaky(context) -> int:
            if context.retry_number < 2:
                raise ConnectionError("again")
            return 1

        @dg.op(step_group="g")
        def breaks(n: int) -> int:
            raise ValueError("no")

        @dg.op(step_group="g")
        def needs(n: int): ...

        @dg.op(step_group="g")
        def alone(): ...

        @dg.job
        def troubled():
            needs(breaks(flaky()))
            alone()

        ran = run(troubled, executor=make())
        assert ran.status is RunStatus.FAILURE
        assert len(ran.of(StepRetrying, "flaky")) == 2
        assert ran.of(StepFailed, "breaks")
        assert ran.of(StepSkipped, "needs")
        assert ran.of(StepSucceeded, "alone")

    @pytest.mark.parametrize("name", ["multiprocess", "hosted_multiprocess"])
    def test_a_killed_process_is_replaced_for_the_rest_of_the_group(self, name):
        from tests.unit.execution.executors.conftest import MAKERS

        @dg.op(step_group="chain", retry_policy=dg.RetryPolicy(max_retries=1))
        def dies(context, n: int) -> int:
            if context.retry_number == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return n

        @dg.job
        def killed():
            link.alias("c")(dies(start()))

        ran = run(killed, executor=MAKERS[name]())
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert ran.of(StepRetrying, "dies")[0].error.class_name == "StepProcessKilled"
        where = processes(ran)
        assert where["start"] != where["c"]

    def test_a_limit_ends_its_own_step_only(self, make):
        @dg.op(step_group="g", timeout=0.2)
        def slow():
            waits_in_python()

        @dg.op(step_group="g", ins={"after": dg.In(dg.Nothing)})
        def last(): ...

        @dg.op(step_group="g")
        def other(): ...

        @dg.job
        def limited():
            slow()
            other()

        ran = run(limited, executor=make())
        assert ran.status is RunStatus.FAILURE
        assert ran.of(StepFailed, "slow")[0].error.class_name == "StepTimedOut"
        assert ran.of(StepSucceeded, "other")

    def test_cancel_ends_the_group(self, make, cancellation):
        @dg.op(step_group="chain")
        def long(context, n: int) -> int:
            context.log.info("in it")
            waits_in_python()
            return n

        @dg.job
        def stops():
            link.alias("never")(long(start()))

        before = signal.getsignal(signal.SIGUSR2)
        cancellation.install([signal.SIGUSR2])
        executor = make()
        try:
            act = (lambda: signal.raise_signal(signal.SIGUSR2)) if executor.name == "in_process" else cancellation.request
            ran = run(stops, executor=executor, cancellation=cancellation, sink=ActOn("in it", act))
        finally:
            signal.signal(signal.SIGUSR2, before)
        assert ran.status is RunStatus.CANCELED
        assert [event.step_key for event in ran.events if isinstance(event.payload, StepCanceled)] == ["long"]
        assert not ran.of(StepStarted, "never")

    def test_no_process_is_left(self):
        before = children()
        for _ in range(2):
            assert run(chain, executor=MultiprocessExecutor(2)).status is RunStatus.SUCCESS
        assert children() == before


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
