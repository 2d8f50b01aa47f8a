"""`execute_job`: a job with its own executor from a script, and runs that go on from earlier ones."""

from __future__ import annotations

import os

import pytest

import dagwright as dg

pytestmark = pytest.mark.unit

BROKEN: list[bool] = []


@dg.op
def where() -> int:
    return os.getpid()


@dg.op
def after(where: int) -> int:
    if BROKEN:
        raise RuntimeError("not yet")
    return where + 1


@dg.job
def processes():
    after(where())


@dg.job(executor_def=dg.in_process_executor)
def alone():
    after(where())


def made_by_function() -> dg.JobDefinition:
    return alone


@dg.asset
def numbers() -> list[int]:
    return [1, 2]


defs = dg.Definitions(assets=[numbers], jobs=[dg.define_asset_job("assets", selection="*")])
assets_job = defs.get_job_def("assets")


@pytest.fixture
def broken():
    BROKEN.append(True)
    yield BROKEN
    BROKEN.clear()


class TestRunning:
    def test_steps_run_as_the_job_says_and_values_are_read_back(self):
        instance = dg.Instance.ephemeral()
        with dg.execute_job(dg.reconstructable(processes), instance, tags={"a": "b"}) as result:
            assert result.success
            assert result.output_for_node("where") != os.getpid()
            assert result.output_for_node("after") == result.output_for_node("where") + 1
        assert [(run.run_id, run.tags["a"]) for run in instance.get_runs()] == [(result.run_id, "b")]
        assert dg.execute_job(alone, instance).output_for_node("where") == os.getpid()

    def test_a_function_that_makes_the_job_and_a_job_of_assets(self):
        instance = dg.Instance.ephemeral()
        assert dg.execute_job(dg.reconstructable(made_by_function), instance).success
        result = dg.execute_job(dg.reconstructable(assets_job), instance)
        assert result.asset_value("numbers") == [1, 2]
        assert instance.get_latest_materialization_event(dg.AssetKey("numbers")) is not None
        with pytest.raises(LookupError):
            result.asset_value("other")

    def test_some_ops_only(self):
        result = dg.execute_job(alone, dg.Instance.ephemeral(), op_selection=["where"])
        assert result.is_node_success("where")
        assert [step.key for step in result.plan.steps] == ["where"]

    def test_a_failure_is_told_or_raised(self, broken):
        instance = dg.Instance.ephemeral()
        assert not dg.execute_job(processes, instance).success
        with pytest.raises(dg.UserCodeError, match="not yet"):
            dg.execute_job(processes, instance, raise_on_error=True)
        with pytest.raises(RuntimeError, match="not yet"):
            dg.execute_job(alone, instance, raise_on_error=True)

    def test_bad_use_is_named(self):
        with pytest.raises(TypeError, match="reconstructable"):
            dg.execute_job(where, dg.Instance.ephemeral())
        with pytest.raises(TypeError, match="as instance"):
            dg.execute_job(alone, None)
        with pytest.raises(dg.InvalidRequestError, match="did you mean 'where'"):
            dg.execute_job(alone, dg.Instance.ephemeral(), op_selection=["wher"])


class TestDoingAgain:
    @pytest.mark.parametrize("job", [processes, alone])
    def test_from_failure_the_steps_that_succeeded_are_not_done_again(self, broken, job):
        instance = dg.Instance.ephemeral()
        first = dg.execute_job(job, instance)
        broken.clear()
        options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        second = dg.execute_job(job, instance, reexecution_options=options)
        assert second.success
        assert [step.key for step in second.plan.steps] == ["after"]
        assert second.output_for_node("after") == dg.execute_job(
            job, instance, reexecution_options=dg.ReexecutionOptions(second.run_id, step_selection=["after"])
        ).output_for_node("after")
        assert second.dagster_run.parent_run_id == first.run_id
        assert second.dagster_run.root_run_id == first.run_id

    def test_all_steps_again(self):
        instance = dg.Instance.ephemeral()
        first = dg.execute_job(alone, instance)
        second = dg.execute_job(alone, instance, reexecution_options=dg.ReexecutionOptions(first.run_id))
        assert len(second.plan.steps) == 2

    def test_bad_use_is_named(self):
        instance = dg.Instance.ephemeral()
        done = dg.execute_job(alone, instance)
        with pytest.raises(dg.InvalidRequestError, match="no failure to go on from"):
            dg.ReexecutionOptions.from_failure(done.run_id, instance)
        with pytest.raises(dg.NotFoundError, match="nowhere"):
            dg.ReexecutionOptions.from_failure("nowhere", instance)
        with pytest.raises(dg.NotFoundError, match="nowhere"):
            dg.execute_job(alone, instance, reexecution_options=dg.ReexecutionOptions("nowhere"))
