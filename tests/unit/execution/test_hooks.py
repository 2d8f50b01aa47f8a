"""Hooks of ops, graphs, jobs and assets."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.events import EngineMessage, LogMessage
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))


@pytest.fixture(params=["in_process", "multiprocess"])
def executor(request):
    return InProcessExecutor() if request.param == "in_process" else MultiprocessExecutor(2)


@dg.success_hook
def done(context):
    context.log.info("done %s %s %s", context.step_key, context.op.name, dict(context.op_output_values))


@dg.failure_hook(required_resource_keys={"chat"})
def failed(context):
    context.log.info("failed %s %r %s", context.step_key, context.op_exception, context.resources.chat)


@dg.success_hook(name="bad")
def broken(context):
    raise LookupError("no such channel")


@dg.op
def one() -> int:
    return 1


@dg.op
def boom() -> None:
    raise ValueError("no")


def said(ran, step):
    return [payload.message for payload in ran.of(LogMessage, step)]


def test_hooks_of_ops_and_jobs(executor):
    @dg.job(hooks={failed})
    def both():
        one.with_hooks({done, broken})()
        boom()

    ran = run(both, executor=executor, resources={"chat": "the chat"})
    assert ran.status is RunStatus.FAILURE
    assert said(ran, "one") == ["done one one {'result': 1}"]
    assert said(ran, "boom") == ["failed boom ValueError('no') the chat"]
    told = list(ran.of(EngineMessage, "one"))
    assert [message.message.split(":")[0] for message in told] == ["HOOK_ERRORED", "HOOK_COMPLETED"]
    assert "no such channel" in told[0].error.message


def test_a_failure_hook_waits_for_the_last_attempt(executor):
    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def twice() -> None:
        raise ValueError("no")

    @dg.job(hooks={failed}, resource_defs={"chat": "c"})
    def job():
        twice()

    assert said(run(job, executor=executor), "twice") == ["failed twice ValueError('no') c"]


def test_hooks_of_graphs_and_a_decorated_job(executor):
    @dg.graph
    def inner():
        one()

    @done
    @dg.job
    def outer():
        one()
        inner.with_hooks({broken})()

    ran = run(outer, executor=executor)
    assert said(ran, "one")
    assert said(ran, "inner.one")
    assert [message.message.split(":")[0] for message in ran.of(EngineMessage, "inner.one")] == ["HOOK_ERRORED", "HOOK_COMPLETED"]


def test_hooks_of_assets_and_asset_jobs():
    @dg.asset(hooks={done})
    def a():
        return 2

    job = dg.define_asset_job("all_assets", hooks={broken})
    defs = dg.Definitions(assets=[a], jobs=[job])
    result = defs.resolve().jobs_by_name["all_assets"].execute_in_process(definitions=defs)
    assert result.success
    assert any(isinstance(e.payload, LogMessage) and e.payload.message.startswith("done a") for e in result.events)


def test_a_hook_called_directly():
    seen = []

    @dg.failure_hook
    def note(context):
        seen.append((context.op_exception, context.resources.x, context.op.name))

    error = ValueError("e")
    note(dg.build_hook_context(resources={"x": 1}, op=one, op_exception=error))
    assert seen == [(error, 1, "one")]


def test_mistakes_are_told():
    with pytest.raises(DefinitionError, match=r"hook 'other' takes the argument 'event', not `context`.*def other\(context\)"):

        @dg.success_hook
        def other(event): ...

    with pytest.raises(DefinitionError, match="takes no argument"):

        @dg.success_hook
        def nothing():
            pass

    with pytest.raises(DefinitionError, match="set of names"):
        dg.failure_hook(name="h", required_resource_keys="db")(lambda context: None)
    with pytest.raises(ValueError, match="build_hook_context"):
        _ = dg.build_hook_context().op
