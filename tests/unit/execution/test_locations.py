"""The small projects of tests/locations, run and evaluated."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import dagwright as dg
from dagwright.execution import evaluate
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.errors import NotFoundError, UserCodeError
from dagwright_shared.model.events import StepFailed
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.ticks import ScheduleQuestion, SensorQuestion
from tests.locations import chain, evaluations, failures, one_op, partitioned
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))


@pytest.mark.parametrize("job", [one_op.one_op, chain.chain])
def test_jobs_succeed(job):
    assert run(job, executor=MultiprocessExecutor(2)).status is RunStatus.SUCCESS


@pytest.mark.parametrize(
    ("name", "class_name", "words"),
    [
        ("raises", "RuntimeError", "could not look it up"),
        ("fails_on_purpose", "dagwright.authoring.policies.Failure", "no rows"),
        ("exits", "SystemExit", "3"),
        ("vanishes", "StepProcessExited", "exit code 4"),
        ("is_killed", "StepProcessKilled", "SIGKILL"),
        ("crashes", "StepProcessKilled", "SIGSEGV"),
        ("returns_what_it_may_not", "dagwright.execution.compute.OutputError", "a generator yields"),
    ],
)
def test_each_way_to_fail(name, class_name, words):
    job = failures.defs.resolve().jobs_by_name[f"{name}_job"]
    ran = run(job, executor=MultiprocessExecutor(1))
    assert ran.status is RunStatus.FAILURE
    error = ran.of(StepFailed)[0].error
    assert error.class_name == class_name
    assert words in error.message
    if name == "raises":
        assert error.cause.class_name == "KeyError"
        assert [f.function for f in error.frames] == ["raises"]


def test_partitions_end_to_end():
    resolved = partitioned.defs.resolve()
    assets = [*resolved.assets, *resolved.checks]
    for key in partitioned.days.get_partition_keys():
        assert run(*assets, executor=MultiprocessExecutor(2), assets=["day", "doubled"], partition=(key,)).status is RunStatus.SUCCESS
    ran = run(*assets, executor=MultiprocessExecutor(2), assets=["whole"])
    metadata = next(e.payload.metadata for e in ran.events if e.event_type == "ASSET_MATERIALIZED")
    assert {key: value.value for key, value in metadata.items()} == {"days": 10, "sum": 110}


class TestEvaluations:
    at = datetime(2024, 7, 1, 4, tzinfo=UTC)

    def test_a_request_in_the_schedules_time_zone_with_log_lines(self):
        answer = evaluate.schedule(evaluations.defs, ScheduleQuestion(name="every_morning", scheduled_for=self.at))
        assert [(r.run_key, r.job_name, r.tags) for r in answer.requests] == [("2024-07-01 06:00", "everything", {"folder": "a"})]
        assert answer.logs == ("INFO looking at /data",)

    def test_a_skip(self):
        answer = evaluate.schedule(evaluations.defs, ScheduleQuestion(name="never", scheduled_for=self.at))
        assert (answer.requests, answer.skip_reason) == ((), "not today")

    def test_a_cursor(self):
        answer = evaluate.sensor(evaluations.defs, SensorQuestion(name="counts", cursor="4"))
        assert ([r.run_key for r in answer.requests], answer.cursor) == (["4"], "5")

    def test_errors_are_data(self):
        with pytest.raises(UserCodeError, match="schedule 'breaks': ZeroDivisionError: by zero") as caught:
            evaluate.schedule(evaluations.defs, ScheduleQuestion(name="breaks", scheduled_for=self.at))
        assert caught.value.info.frames[-1].function == "breaks"
        with pytest.raises(UserCodeError, match="SystemExit"):
            evaluate.sensor(evaluations.defs, SensorQuestion(name="leaves"))

    def test_unknown_names(self):
        with pytest.raises(NotFoundError, match="did you mean 'counts'"):
            evaluate.sensor(evaluations.defs, SensorQuestion(name="count"))


def test_the_public_way_to_run_things():
    result = dg.materialize([partitioned.day, partitioned.doubled, partitioned.is_even], partition_key="2024-01-03")
    assert result.success
    assert result.asset_value("doubled") == 6
    assert [(c.check_name, c.passed) for c in result.get_asset_check_evaluations()] == [("is_even", True)]
    assert chain.chain.execute_in_process().output_for_node("following_49") == 49
    with pytest.raises(RuntimeError, match="could not look it up"):
        failures.defs.get_job_def("raises_job").execute_in_process()
    failed = failures.defs.get_job_def("raises_job").execute_in_process(raise_on_error=False)
    assert failed.is_node_failed("raises")
    assert failed.failure_data_for_node("raises").error.cause.message == "RuntimeError: could not look it up\n"
    assert failures.defs.get_job_def("works_in_the_end_job").execute_in_process().retry_attempts_for_node("works_in_the_end") == 2
    assert dg.materialize_to_memory([partitioned.day], partition_key="2024-01-03").asset_value("day") == 3


class TestDirectCalls:
    def test_contexts_config_and_resources(self):
        class Limit(dg.Config):
            rows: int = 2

        class Db(dg.ConfigurableResource):
            url: str

        @dg.asset(partitions_def=partitioned.days)
        def table(context: dg.AssetExecutionContext, up: int, config: Limit, db: Db):
            context.add_output_metadata({"n": 1})
            return (
                context.partition_key,
                context.asset_key.to_user_string(),
                up,
                config.rows,
                db.url,
                f"{context.partition_time_window.start:%d}",
            )

        context = dg.build_asset_context(partition_key="2024-01-05", resources={"db": Db(url="u")})
        assert table(context, 7) == ("2024-01-05", "table", 7, 2, "u", "05")
        assert context.get_output_metadata("result") == {"n": 1}
        assert table(context, up=7, config=Limit(rows=9), db=Db(url="w"))[3:5] == (9, "w")
        with pytest.raises(TypeError, match="takes a context as its first argument"):
            table()
        with pytest.raises(TypeError, match="needs the resource 'db'"):
            table(dg.build_asset_context(), 7)

    def test_checks_and_generators(self):
        assert partitioned.is_even(4).passed

        @dg.op
        def gives():
            yield dg.Output(1)

        assert [o.value for o in gives()] == [1]

    def test_io_manager_contexts(self, tmp_path):
        manager = dg.FilesystemIOManager(base_dir=str(tmp_path))
        manager.handle_output(dg.build_output_context(asset_key=["a", "b"]), 1)
        manager.handle_output(dg.build_output_context(asset_key="a", partition_key="x/y"), 2)
        manager.handle_output(dg.build_output_context(step_key="s", name="o", run_id="r"), 3)
        assert manager.load_input(dg.build_input_context(asset_key=["a", "b"])) == 1
        assert manager.load_input(dg.build_input_context(asset_key="a", partition_key="x/y")) == 2
        upstream = dg.build_output_context(step_key="s", name="o", run_id="r")
        assert manager.load_input(dg.build_input_context(upstream_output=upstream)) == 3
        assert not [path for path in tmp_path.rglob("*") if ".writing" in path.name]
