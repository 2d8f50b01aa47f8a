"""The step pipeline, by way of whole runs in this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dagwright as dg
from dagwright.execution import step as steps
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.outcome import StepDone
from dagwright.execution.ports import NO_HISTORY, KnownVersion, MemoryHistory, MemorySink
from dagwright.execution.scope import RunHistory, RunScope
from dagwright.planning.plan import plan_run
from dagwright_shared.model.events import (
    AssetFailed,
    AssetMaterialized,
    AssetObserved,
    CheckEvaluated,
    EngineMessage,
    InputLoaded,
    LogLevel,
    LogMessage,
    OutputStored,
    StepFailed,
    StepSkipped,
    StepSucceeded,
)
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import resolved, run, spec

pytestmark = pytest.mark.unit
HERE = InProcessExecutor()
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-06")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))
    return tmp_path


def made(ran, key):
    return next(m for m in ran.of(AssetMaterialized) if m.asset_key == AssetKey.from_user_string(key))


class TestMetadata:
    def test_it_comes_from_the_result_the_context_and_the_io_manager(self):
        class Noting(dg.IOManager):
            def handle_output(self, context, obj):
                context.add_output_metadata({"stored": True, "seen": sorted(context.output_metadata)})

            def load_input(self, context):
                raise NotImplementedError

        @dg.asset
        def table(context: dg.AssetExecutionContext):
            context.add_output_metadata({"rows": 3})
            context.add_asset_metadata({"late": 1.5})
            return dg.Output([1], metadata={"name": "x"}, tags={"a": "b"})

        ran = run(table, executor=HERE, resources={"io_manager": Noting()})
        event = made(ran, "table")
        assert {k: v.value for k, v in event.metadata.items()} == {
            "name": "x",
            "rows": 3,
            "stored": True,
            "seen": ["name", "rows"],
            "late": 1.5,
        }
        assert event.tags == {"a": "b"}

    def test_json_metadata_crosses_processes_whatever_is_in_it(self):
        @dg.asset
        def odd():
            return dg.MaterializeResult(metadata={"j": {"f": lambda: 1, "n": float("nan")}})

        ran = run(odd, executor=MultiprocessExecutor(1))
        assert ran.status is RunStatus.SUCCESS
        assert made(ran, "odd").metadata["j"].value["n"] == "nan"

    def test_observations_and_records_of_other_assets(self):
        @dg.op
        def records(context):
            context.log_event(dg.AssetMaterialization("other/table", metadata={"rows": 1}, partition="p"))
            context.log_event(dg.AssetObservation("seen"))

        @dg.job
        def notes():
            records()

        ran = run(notes, executor=HERE)
        assert (ran.of(AssetMaterialized)[0].asset_key.to_user_string(), ran.of(AssetMaterialized)[0].partition) == ("other/table", ("p",))
        assert ran.of(AssetObserved)[0].asset_key.to_user_string() == "seen"


class TestVersions:
    def test_they_follow_code_and_inputs(self):
        @dg.asset(code_version="1")
        def up():
            return 1

        @dg.asset(code_version="1")
        def down(up):
            return up

        first, second = run(up, down, executor=HERE), run(up, down, executor=MultiprocessExecutor(2))
        assert made(first, "down").data_version == made(second, "down").data_version
        assert made(first, "down").input_data_versions == {"up": made(first, "up").data_version}
        assert made(first, "up").code_version == "1"

    def test_earlier_runs_and_own_versions(self):
        @dg.asset
        def mine():
            return dg.MaterializeResult(data_version=dg.DataVersion("v7"))

        @dg.asset(deps=["mine"])
        def down():
            return None

        history = MemoryHistory(versions={(AssetKey("mine"), ()): KnownVersion(data_version="v6")})
        assert made(run(mine, down, executor=HERE, history=history), "down").input_data_versions == {"mine": "v7"}
        assert made(run(mine, down, executor=HERE, history=history, assets=["down"]), "down").input_data_versions == {"mine": "v6"}


class TestChecks:
    def make(self, passed, severity=dg.AssetCheckSeverity.ERROR, blocking=True):
        @dg.asset
        def up():
            return [1]

        @dg.asset_check(asset=up, blocking=blocking)
        def good(up):
            return dg.AssetCheckResult(passed=passed, severity=severity, metadata={"n": len(up)}, description="why")

        @dg.asset(deps=[up])
        def down():
            return 1

        return up, good, down

    @pytest.mark.parametrize("executor", [HERE, MultiprocessExecutor(2)])
    def test_a_blocking_failure_stops_what_is_downstream(self, executor):
        ran = run(*self.make(passed=False), executor=executor)
        assert ran.status is RunStatus.FAILURE
        evaluated = ran.of(CheckEvaluated)[0]
        assert (evaluated.passed, evaluated.blocking, evaluated.description, evaluated.metadata["n"].value) == (False, True, "why", 1)
        assert "blocking check failed: up:good" in ran.of(StepFailed, "up_good")[0].error.message
        assert ran.of(StepSkipped, "down")
        assert [f.asset_key.to_user_string() for f in ran.of(AssetFailed)] == ["down"]

    @pytest.mark.parametrize(
        ("passed", "severity", "blocking"),
        [(True, dg.AssetCheckSeverity.ERROR, True), (False, dg.AssetCheckSeverity.WARN, True), (False, dg.AssetCheckSeverity.ERROR, False)],
    )
    def test_others_do_not(self, passed, severity, blocking):
        ran = run(*self.make(passed, severity, blocking), executor=HERE)
        assert ran.status is RunStatus.SUCCESS
        assert made(ran, "down")

    def test_a_blocking_check_stands_before_downstream_and_not_before_itself(self):
        ran = run(*self.make(passed=True), executor=HERE)
        order = [step for step, kind in ran.steps() if kind == "STEP_STARTED"]
        assert order == ["up", "up_good", "down"]

    def test_checks_of_the_assets_own_function(self):
        @dg.asset(check_specs=[dg.AssetCheckSpec("a", asset="up", blocking=True), dg.AssetCheckSpec("b", asset="up")])
        def up():
            return dg.MaterializeResult(
                check_results=[dg.AssetCheckResult(check_name="a", passed=False), dg.AssetCheckResult(check_name="b", passed=True)]
            )

        @dg.asset(deps=[up])
        def down():
            return 1

        ran = run(up, down, executor=HERE)
        assert [c.check_key.name for c in ran.of(CheckEvaluated)] == ["a", "b"]
        assert made(ran, "up")
        assert ran.of(StepSkipped, "down")
        assert [f.asset_key.to_user_string() for f in ran.of(AssetFailed)] == ["down"]

    def test_a_declared_check_without_a_result_fails(self):
        @dg.asset(check_specs=[dg.AssetCheckSpec("a", asset="up")])
        def up():
            return dg.MaterializeResult()

        assert "without a result for the check up:a" in run(up, executor=HERE).of(StepFailed)[0].error.message

    def test_a_check_that_returns_something_else(self):
        @dg.asset
        def up():
            return 1

        @dg.asset_check(asset=up)
        def good(up):
            return "yes"

        assert (
            "must return an AssetCheckResult or a bool, not a str"
            in run(up, good, executor=HERE).of(StepFailed, "up_good")[0].error.message
        )


class TestOutputs:
    def test_multi_assets_yield_what_is_selected(self):
        @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b", deps=["a"])], can_subset=True)
        def both(context: dg.AssetExecutionContext):
            for key in sorted(context.selected_asset_keys):
                yield dg.MaterializeResult(asset_key=key, metadata={"k": key.to_user_string()})

        ran = run(both, executor=HERE)
        assert [m.asset_key.to_user_string() for m in ran.of(AssetMaterialized)] == ["a", "b"]
        ran = run(both, executor=HERE, assets=["b"])
        assert [m.asset_key.to_user_string() for m in ran.of(AssetMaterialized)] == ["b"]

    def test_several_outputs_as_a_tuple(self):
        @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
        def both():
            return 1, dg.Output(2, "b")

        @dg.asset
        def total(a, b):
            return a + b

        ran = run(both, total, executor=HERE)
        assert ran.status is RunStatus.SUCCESS
        assert len(ran.of(InputLoaded)) == 2

    @pytest.mark.parametrize(
        ("give", "words"),
        [
            (lambda: (1, 2, 3), "has 2 outputs (a, b), but returned a tuple of 3"),
            (lambda: dg.Output(1, "c"), "gave the output 'c', which it does not declare"),
            (lambda: dg.Output(1, "a"), "ended without its output 'b'"),
            (lambda: [dg.Output(1, "a"), dg.Output(1, "a")], "gave its output 'a' twice"),
        ],
    )
    def test_misfits_are_told(self, give, words):
        @dg.op(out={"a": dg.Out(), "b": dg.Out()})
        def odd():
            return give()

        @dg.job
        def wrong():
            odd()

        assert words in run(wrong, executor=HERE).of(StepFailed)[0].error.message

    def test_yielding_a_bare_value(self):
        @dg.op
        def odd():
            yield 1

        @dg.job
        def wrong():
            odd()

        assert "yielded a int; a generator yields Output" in run(wrong, executor=HERE).of(StepFailed)[0].error.message

    def test_what_cannot_be_pickled(self):
        @dg.asset
        def odd():
            return lambda: 1

        error = run(odd, executor=HERE).of(StepFailed)[0].error
        assert "is a function, which cannot be pickled" in error.message
        assert "io_manager_key" in error.message

    def test_none_is_stored_unless_it_is_declared(self):
        @dg.asset
        def loose():
            return None

        @dg.asset
        def strict() -> None:
            return None

        ran = run(loose, strict, executor=HERE)
        assert [m.asset_key.to_user_string() for m in ran.of(AssetMaterialized)] == ["loose", "strict"]
        assert not ran.of(OutputStored, "loose")[0].metadata  # a path would lead to a file with nothing but None in it
        assert not ran.of(OutputStored, "strict")[0].metadata
        assert sorted(path.name for path in Path(os.environ["DAGWRIGHT_HOME"]).rglob("*.pickle")) == ["loose.pickle"]


class TestPartitions:
    def test_keys_windows_and_files(self, home):
        @dg.asset(partitions_def=DAYS)
        def day(context: dg.AssetExecutionContext):
            window = context.partition_time_window
            return f"{context.partition_key} {window.start:%d} {window.end:%d}"

        @dg.asset(partitions_def=DAYS, ins={"day": dg.AssetIn(partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1))})
        def pair(day):
            return day

        @dg.asset
        def every(day):
            return sorted(day)

        for key in DAYS.get_partition_keys():
            assert run(day, pair, executor=HERE, assets=["day"], partition=(key,)).status is RunStatus.SUCCESS
        ran = run(day, pair, executor=HERE, assets=["pair"], partition=("2024-01-03",))
        assert made(ran, "pair").partition == ("2024-01-03",)
        result = dg.FilesystemIOManager(base_dir=str(home / "storage"))
        from dagwright import build_input_context

        context = build_input_context(asset_key="pair", partition_key="2024-01-03", asset_partitions_def=DAYS)
        assert result.load_input(context) == {"2024-01-02": "2024-01-02 02 03", "2024-01-03": "2024-01-03 03 04"}
        run(day, every, executor=HERE, assets=["every"])
        assert result.load_input(build_input_context(asset_key="every")) == list(DAYS.get_partition_keys())
        first = run(day, pair, executor=HERE, assets=["pair"], partition=("2024-01-01",))
        assert result.load_input(build_input_context(asset_key="pair", partition_key="2024-01-01", asset_partitions_def=DAYS)) == (
            "2024-01-01 01 02"
        ), "the first day has no day before it"
        assert first.status is RunStatus.SUCCESS

    def test_partitions_that_the_upstream_lacks_are_named(self):
        @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-03", end_date="2024-01-05"))
        def young():
            return 1

        @dg.asset(partitions_def=DAYS)
        def old(young):
            return young

        error = run(young, old, executor=HERE, assets=["old"], partition=("2024-01-02",)).of(StepFailed)[0].error
        assert "partition 2024-01-02 of step 'old' reads partitions of young that do not exist: 2024-01-02" in error.message

    def test_an_unpartitioned_asset_runs_along(self):
        @dg.asset(partitions_def=DAYS)
        def day():
            return 1

        @dg.asset
        def whole(context: dg.AssetExecutionContext):
            return context.partition_key

        ran = run(day, whole, executor=HERE, partition=("2024-01-02",))
        assert made(ran, "day").partition == ("2024-01-02",)
        assert made(ran, "whole").partition == ()

    def test_several_dimensions(self):
        both = dg.MultiPartitionsDefinition({"zone": dg.StaticPartitionsDefinition(["eu", "us"]), "day": DAYS})

        @dg.asset(partitions_def=both)
        def cell(context: dg.AssetExecutionContext):
            parts = context.partition_key.keys_by_dimension
            return dg.MaterializeResult(metadata={**parts, "start": str(context.partition_time_window.start.date())})

        ran = run(cell, executor=HERE, partition=("2024-01-02", "eu"))
        assert {k: v.value for k, v in made(ran, "cell").metadata.items()} == {"day": "2024-01-02", "zone": "eu", "start": "2024-01-02"}

    def test_what_was_not_materialized_says_how_to(self):
        @dg.asset(partitions_def=DAYS)
        def day():
            return 1

        @dg.asset(partitions_def=DAYS)
        def later(day):
            return day

        error = run(day, later, executor=HERE, assets=["later"], partition=("2024-01-02",)).of(StepFailed)[0].error
        assert "partition 2024-01-02 of the asset day has not been materialized" in error.message
        assert "dagwright asset materialize --select day --partition '2024-01-02'" in error.message


class TestResources:
    def test_they_are_set_up_in_order_and_torn_down_in_reverse(self):
        order = []

        class Inner(dg.ConfigurableResource):
            def setup_for_execution(self, context):
                order.append("inner up")
                context.log.info("inner is up")

            def teardown_after_execution(self, context):
                order.append("inner down")

        class Outer(dg.ConfigurableResource):
            inner: Inner

            def setup_for_execution(self, context):
                order.append("outer up")

            def teardown_after_execution(self, context):
                order.append("outer down")
                raise RuntimeError("cannot close")

        @dg.resource
        def plain():
            order.append("plain up")
            yield 3
            order.append("plain down")

        @dg.op(required_resource_keys={"plain"})
        def uses(context, outer: Outer):
            order.append(f"uses {context.resources.plain}")

        @dg.job(resource_defs={"outer": Outer(inner=Inner()), "plain": plain})
        def with_resources():
            uses()
            uses()

        ran = run(with_resources, executor=HERE)
        assert order == ["inner up", "outer up", "plain up", "uses 3", "uses 3", "plain down", "outer down", "inner down"]
        assert ran.status is RunStatus.SUCCESS
        assert ran.of(LogMessage)[0].message == "inner is up"
        assert "cannot close" in ran.of(EngineMessage)[0].error.message

    def test_a_missing_environment_variable_is_named(self, monkeypatch):
        monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)

        class Db(dg.ConfigurableResource):
            url: str

        @dg.asset
        def table(db: Db):
            return db.url

        ran = run(table, executor=HERE, resources={"db": Db(url=dg.EnvVar("NO_SUCH_VARIABLE"))})
        assert (
            "the resource 'db' could not be set up: the environment variable NO_SUCH_VARIABLE is not set"
            in ran.of(StepFailed)[0].error.message
        )

    def test_run_config_overrides_fields(self):
        class Db(dg.ConfigurableResource):
            url: str = "a"

        @dg.asset
        def table(db: Db):
            return dg.MaterializeResult(metadata={"url": db.url})

        ran = run(table, executor=HERE, resources={"db": Db()}, config={"resources": {"db": {"config": {"url": "b"}}}})
        assert made(ran, "table").metadata["url"].value == "b"


class TestLogging:
    def test_levels_exceptions_and_managed_loggers(self):
        @dg.op
        def talks(context):
            context.log.debug("d")
            context.log.warning("w %d", 1)
            dg.get_dagster_logger("mine").error("e")
            try:
                raise KeyError("k")
            except KeyError:
                context.log.exception("x")
            assert dg.OpExecutionContext.get() is context

        @dg.job
        def talk():
            talks()

        ran = run(talk, executor=HERE)
        lines = ran.of(LogMessage)
        assert [(m.level, m.message) for m in lines] == [
            (LogLevel.DEBUG, "d"),
            (LogLevel.WARNING, "w 1"),
            (LogLevel.ERROR, "e"),
            (LogLevel.ERROR, "x"),
        ]
        assert lines[3].error.class_name == "KeyError"
        assert ran.of(StepSucceeded)


def test_the_step_that_warms_a_process_up_succeeds():
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def idle():
        nothing()

    plan, sink = plan_run(resolved(idle), job_name="idle"), MemorySink()
    scope = RunScope(plan=plan, spec=spec(), sink=sink, cancellation=Cancellation(), history=RunHistory(NO_HISTORY))
    assert isinstance(steps.Environment(scope).warm_up(), StepDone)
    assert not sink.events
