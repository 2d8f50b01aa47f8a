"""A run whose steps have several executors, and executors of a user's own."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import dagwright as dg
from dagwright.execution.executors.choice import OwnExecutorError, choose
from dagwright.planning.plan import plan_run
from dagwright_shared.model.errors import UserCodeError
from dagwright_shared.model.events import AssetMaterialized, LogMessage, RunFailed, RunStarted, StepFailed, StepRetrying, StepSucceeded
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import resolved, run

pytestmark = pytest.mark.unit


@dg.op(executor=dg.threads_executor)
def in_thread(context) -> int:
    context.log.info("%s %s", os.getpid(), threading.current_thread() is threading.main_thread())
    return 1


@dg.op(executor="in_process")
def in_main(context, n: int) -> int:
    context.log.info("%s %s", os.getpid(), threading.current_thread() is threading.main_thread())
    return n + 1


@dg.op
def in_process_of_its_own(context, n: int) -> int:
    context.log.info("%s %s", os.getpid(), threading.current_thread() is threading.main_thread())
    return n + 1


@dg.job
def three():
    in_process_of_its_own(in_main(in_thread()))
    in_process_of_its_own.alias("again")(in_main.alias("main_again")(in_thread.alias("thread_again")()))


def processes(ran):
    return {event.step_key: event.payload.message.split() for event in ran.events if isinstance(event.payload, LogMessage)}


def chosen(job, **request):
    return choose(plan_run(resolved(job), job_name=job.name, **request))


class TestMixing:
    def test_each_step_has_its_executor(self):
        ran = run(three, executor=None)
        assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed)
        where = processes(ran)
        assert where["in_thread"][0] == where["thread_again"][0] != str(os.getpid())
        assert where["in_main"][0] == where["main_again"][0] != where["in_thread"][0]
        assert where["in_process_of_its_own"][0] != where["again"][0]
        assert [where[key][1] for key in ("in_thread", "in_main", "again")] == ["False", "True", "True"]
        assert ran.of(RunStarted)[0].executor == "threads + in_process + multi_or_in_process"
        assert [step.executor for step in ran.of(RunStarted)[0].steps][:3] == ["threads", "in_process", None]
        assert [e.seq for e in ran.events] == list(range(1, len(ran.events) + 1))

    def test_what_other_executors_have_made_is_known(self):
        @dg.asset(executor="threads")
        def raw() -> int:
            return 1

        @dg.asset(executor="asyncio")
        async def clean(raw: int) -> int:
            return raw + 1

        @dg.asset
        def total(clean: int) -> int:
            return clean

        ran = run(raw, clean, total, executor=None)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        made = {m.asset_key.to_user_string(): m for m in ran.of(AssetMaterialized)}
        assert made["total"].input_data_versions == {"clean": made["clean"].data_version}

    def test_one_executor_for_all_needs_no_processes_for_executors(self):
        @dg.op(executor="threads")
        def one(): ...

        @dg.job
        def alone():
            one()

        assert chosen(alone).name == "threads"

    def test_the_name_of_the_jobs_executor_means_it_as_it_is_configured(self):
        @dg.op(executor="threads")
        def named(): ...

        @dg.op
        def plain(): ...

        @dg.job(executor_def=dg.threads_executor.configured({"max_concurrent": 3}))
        def both():
            named()
            plain()

        assert chosen(both).name == "threads"

    def test_an_executor_whose_process_is_killed_gets_a_new_one(self):
        @dg.op(executor="threads", retry_policy=dg.RetryPolicy(max_retries=1))
        def dies(context):
            if context.retry_number == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        @dg.op
        def plain(): ...

        @dg.job
        def killed():
            dies()
            plain()

        ran = run(killed, executor=None)
        assert ran.status is RunStatus.SUCCESS, [f.error for f in ran.of(StepFailed)]
        assert {r.error.class_name for r in ran.of(StepRetrying)} == {"StepProcessKilled"}
        assert len(ran.of(StepSucceeded)) == 2

    def test_an_executor_that_cannot_work_fails_the_run_and_says_why(self):
        @dg.op(executor=dg.dask_executor)
        def far(): ...

        @dg.op
        def plain(): ...

        @dg.job
        def both():
            far()
            plain()

        ran = run(both, executor=None)
        assert ran.status is RunStatus.FAILURE
        assert "dask_executor failed" in ran.of(RunFailed)[0].error.message
        assert "code server" in ran.of(RunFailed)[0].error.message


class Inline(dg.Executor):
    max_concurrent = 1

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def start(self, attempt: dg.StepAttempt) -> None:
        assert attempt.op_name == "step"
        assert attempt.tags == {"a": "b"}
        assert not attempt.stop_requested
        self.seen.append((attempt.step_key, attempt.number))
        attempt.run()
        with pytest.raises(RuntimeError, match="run twice"):
            attempt.run()


class TestOwn:
    def make(self, fn, **options):
        @dg.op(tags={"a": "b"})
        def step(context):
            context.log.info("%s", os.getpid())

        @dg.job(executor_def=dg.executor(name="mine", **options)(fn))
        def own():
            step()
            step()

        return own

    def test_it_is_given_steps_config_and_the_job(self):
        made = Inline()
        contexts = []

        def create(context: dg.InitExecutorContext) -> dg.Executor:
            contexts.append(context)
            return made

        job = self.make(create, config_schema={"size": dg.Field(int, default_value=3)})
        ran = run(job, executor=None)
        assert ran.status is RunStatus.SUCCESS, ran.of(RunFailed)
        assert made.seen == [("step", 1), ("step_2", 1)]
        assert ran.of(RunStarted)[0].executor == "mine"
        assert contexts[0].job is job
        assert contexts[0].executor_config == {"size": 3}
        assert contexts[0].executor_def.name == "mine"

    def test_it_may_choose_one_of_dagwrights(self):
        assert chosen(self.make(lambda context: dg.threads_executor.configured({"max_concurrent": 2}))).name == "threads"

    @pytest.mark.parametrize("made", [3, dg.Executor()])
    def test_something_else_is_refused(self, made):
        with pytest.raises(OwnExecutorError, match=r"start\(attempt\)"):
            chosen(self.make(lambda context: made))

    def test_a_function_that_raises_is_named(self):
        def create(context):
            raise OSError("no cluster")

        with pytest.raises(UserCodeError, match="no cluster"):
            chosen(self.make(create))

    def test_a_start_that_raises_fails_the_step(self):
        class Refuses(dg.Executor):
            def start(self, attempt):
                raise OSError("full")

        ran = run(self.make(lambda context: Refuses()), executor=None)
        assert ran.status is RunStatus.FAILURE
        assert [f.error.message for f in ran.of(StepFailed)] == ["full", "full"]

    def test_bad_limits_are_named(self):
        class Limited(dg.Executor):
            tag_concurrency_limits = ({"key": "a", "limits": 1},)

            def start(self, attempt): ...

        with pytest.raises(dg.InvalidRequestError, match="tag_concurrency_limits"):
            chosen(self.make(lambda context: Limited()))
