"""Executors and groups of single steps, as the plan and the snapshot have them, and what is wrong with some."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.loading.snapshot import build
from dagwright.planning.plan import plan_run, planned_steps
from dagwright_shared.model.keys import LocationName

pytestmark = pytest.mark.unit


@dg.op
def first() -> int:
    return 1


@dg.op
def then(n: int) -> int:
    return n + 1


def in_group(op: dg.OpDefinition, name: str, group: str | None = None, **tags: str):
    return op.tag({**({"dagwright/step_group": group} if group else {}), **tags}).alias(name)


def plan_of(job: dg.JobDefinition):
    return plan_run(dg.Definitions(jobs=[job]), job_name=job.name)


class TestDeclaring:
    def test_by_argument_and_by_tag(self):
        @dg.op(executor=dg.threads_executor, step_group="one")
        def declared() -> int:
            return 1

        @dg.job
        def both():
            in_group(then, "tagged", "two", **{"dagwright/executor": "asyncio"})(declared())

        shown = [(step.key, step.executor, step.step_group) for step in planned_steps(plan_of(both))]
        assert shown == [("declared", "threads", "one"), ("tagged", "asyncio", "two")]
        nodes = build(dg.Definitions(jobs=[both]), LocationName("here")).jobs[0].nodes
        assert [(node.handle, node.executor, node.step_group) for node in nodes] == shown

    def test_assets_and_checks(self):
        @dg.asset(executor="threads", step_group="load")
        def raw():
            return 1

        @dg.multi_asset(specs=[dg.AssetSpec("left", deps=[raw])], executor="threads", step_group="load")
        def several():
            yield dg.MaterializeResult(asset_key="left")

        @dg.asset_check(asset=raw, step_group="load", executor="threads_executor")
        def fine():
            return dg.AssetCheckResult(passed=True)

        resolved = dg.Definitions(assets=[raw, several], asset_checks=[fine]).resolve()
        plan = plan_run(resolved, asset_keys=[dg.AssetKey("raw"), dg.AssetKey("left")])
        assert {(step.executor.name, step.step_group) for step in plan.steps} == {("threads", "load")}
        assert len(plan.steps) == 3

    def test_steps_that_are_mapped_alike_are_a_group_for_each_key(self):
        @dg.op(out=dg.DynamicOut())
        def keys():
            yield dg.DynamicOutput(1, "a")

        @dg.job
        def mapped():
            keys().map(in_group(then, "inner", "each")).map(in_group(then, "outer", "each"))

        assert [step.step_group for step in plan_of(mapped).steps] == [None, "each", "each"]


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("given", "words"), [("thread", "did you mean 'threads'"), (3, "executor is a int"), ("nowhere", "in_process, multiprocess")]
    )
    def test_an_unknown_executor(self, given, words):
        with pytest.raises(dg.DefinitionError, match=words) as caught:

            @dg.op(executor=given)
            def broken(): ...

        assert "op 'broken'" in str(caught.value)

    def test_an_unknown_executor_in_a_tag(self):
        @dg.job
        def tagged():
            in_group(first, "x", **{"dagwright/executor": "treads"})()

        with pytest.raises(dg.InvalidRequestError, match="did you mean 'threads'"):
            plan_of(tagged)

    def test_a_group_name_that_urls_cannot_carry(self):
        with pytest.raises(dg.DefinitionError, match="step_group= of op 'broken'"):

            @dg.op(step_group="a b")
            def broken(): ...

    def test_a_group_across_a_dynamic_output(self):
        @dg.op(out=dg.DynamicOut(), step_group="g")
        def keys():
            yield dg.DynamicOutput(1, "a")

        @dg.job
        def across():
            keys().map(in_group(then, "inner", "g"))

        with pytest.raises(dg.InvalidRequestError, match=r"'inner' is mapped over 'keys.result' and 'keys' is not"):
            plan_of(across)

    def test_a_group_that_a_path_leaves_and_comes_back_to(self):
        @dg.job
        def cyclic():
            in_group(then, "c", "g")(then.alias("between")(in_group(first, "a", "g")()))

        with pytest.raises(dg.InvalidRequestError, match="not consecutive: group 'g' -> 'between' -> group 'g'"):
            plan_of(cyclic)
        with pytest.raises(dg.DefinitionError, match="not consecutive"):
            build(dg.Definitions(jobs=[cyclic]), LocationName("here"))

    def test_groups_that_wait_for_each_other(self):
        @dg.job
        def crossed():
            in_group(then, "b2", "b")(in_group(first, "a1", "a")())
            in_group(then, "a2", "a")(in_group(first, "b1", "b")())

        with pytest.raises(dg.InvalidRequestError, match="not consecutive"):
            plan_of(crossed)

    def test_a_group_of_two_executors(self):
        @dg.job
        def mixed():
            in_group(then, "b", "g", **{"dagwright/executor": "threads"})(in_group(first, "a", "g")())

        with pytest.raises(dg.InvalidRequestError, match="'a' of multiprocess, 'b' of threads"):
            plan_of(mixed)


class TestOwnExecutors:
    def test_config_is_checked(self):
        @dg.executor(config_schema={"threads": int})
        def pool(context):
            return dg.threads_executor

        @dg.job(executor_def=pool)
        def here():
            first()

        plan = plan_run(dg.Definitions(jobs=[here]), job_name="here", config={"execution": {"config": {"threads": 3}}})
        assert plan.executor is pool
        with pytest.raises(dg.InvalidRequestError, match=r"config\.execution\.config\.threads"):
            plan_run(dg.Definitions(jobs=[here]), job_name="here", config={"execution": {"config": {"threads": "x"}}})

    def test_one_without_config_takes_none(self):
        @dg.executor
        def plain(context):
            return dg.threads_executor

        @dg.job(executor_def=plain)
        def here():
            first()

        with pytest.raises(dg.InvalidRequestError, match="'plain' takes no config"):
            plan_run(dg.Definitions(jobs=[here]), job_name="here", config={"execution": {"config": {"a": 1}}})

    def test_bad_definitions(self):
        with pytest.raises(dg.DefinitionError, match="executor_creation_fn is a NoneType"):
            dg.ExecutorDefinition("mine")
        with pytest.raises(dg.DefinitionError, match="give settings"):
            dg.threads_executor.configured(lambda config: config)
        with pytest.raises(dg.DefinitionError, match="did you mean 'max_concurrent'"):
            dg.threads_executor.configured({"max_concurrency": 3})
