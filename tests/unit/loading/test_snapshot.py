from __future__ import annotations

import gc
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import dagwright as dg
from dagwright.loading import snapshot
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import AssetExecution, LocationSnapshot, MappingKind, MissedTicks

HERE = LocationName("here")


class Limit(dg.Config):
    rows: int


class Db(dg.ConfigurableResource):
    """A database."""

    path: str
    password: str


def definitions() -> dg.Definitions:
    days = dg.DailyPartitionsDefinition("2024-01-01")

    @dg.asset(
        group_name="g", kinds={"b", "a"}, owners=["team:x"], tags={"t": "v"}, metadata={"n": 1}, code_version="1", partitions_def=days
    )
    def raw(context, config: Limit, db: Db) -> list[int]:
        """Raw rows."""
        return []

    @dg.asset(
        ins={"raw": dg.AssetIn(partition_mapping=dg.AllPartitionMapping())},
        deps=["elsewhere"], retry_policy=dg.RetryPolicy(max_retries=2), pool="p",
        check_specs=[dg.AssetCheckSpec("inside", asset="clean")],
    )  # fmt: skip
    def clean(raw: list[int]) -> None: ...

    @dg.asset_check(asset=clean, blocking=True, additional_deps=["raw"])
    def fine(clean) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.op(out=dg.DynamicOut(int))
    def fan(): ...

    @dg.op
    def add(config: Limit, a: int, b: int = 1) -> int:
        return a

    @dg.op
    def total(values: list[int]) -> int:
        return 1

    @dg.graph
    def inner(x):
        return add(x)

    @dg.job(
        config=dg.RunConfig(ops={"inner": {"ops": {"add": {"config": {"rows": 1}}}}}), tags={"a": "b"}, executor_def=dg.in_process_executor
    )
    def ops_job():
        total(fan().map(inner).collect())

    daily = dg.define_asset_job("daily", selection="raw", partitions_def=days)

    @dg.schedule(cron_schedule="0 1 * * *", target="group:g", missed_ticks="all")
    def nightly(context):
        return dg.RunRequest()

    @dg.sensor(jobs=[daily], minimum_interval_seconds=7)
    def looks(context): ...

    return dg.Definitions(
        assets=[clean, raw, dg.AssetSpec("ext", description="external")],
        asset_checks=[fine],
        jobs=[ops_job, daily, dg.define_asset_job("everything")],
        schedules=[nightly, dg.build_schedule_from_partitioned_job(daily)],
        sensors=[looks],
        resources={"db": Db(path="p", password=dg.EnvVar("DB_PASSWORD"))},
        metadata={"team": "x"},
    )


@pytest.fixture(scope="module")
def built() -> LocationSnapshot:
    return snapshot.build(definitions(), HERE)


def asset(built: LocationSnapshot, name: str) -> Any:
    return next(found for found in built.assets if found.key == AssetKey(name))


def test_assets(built: LocationSnapshot) -> None:
    assert [found.key.to_user_string() for found in built.assets] == ["clean", "elsewhere", "ext", "raw"]
    raw, clean = asset(built, "raw"), asset(built, "clean")
    assert (raw.group, raw.kinds, raw.owners, raw.tags, raw.code_version) == ("g", ("a", "b"), ("team:x",), {"t": "v"}, "1")
    assert raw.description == "Raw rows."
    assert raw.config_schema["required"] == ["rows"]
    assert raw.resource_keys == ("db",)
    assert (raw.op_name, raw.output_name, raw.type_name) == ("raw", "result", "list[int]")
    assert raw.source.file == __file__
    assert [(dep.key.to_user_string(), dep.input_name, dep.mapping.kind if dep.mapping else None) for dep in clean.deps] == [
        ("raw", "raw", MappingKind.ALL),
        ("elsewhere", None, None),
    ]
    assert (clean.retry_policy.max_retries, clean.pool) == (2, "p")
    assert asset(built, "ext").execution is AssetExecution.EXTERNAL
    assert asset(built, "ext").source is not None
    assert asset(built, "elsewhere").source is None


def test_checks(built: LocationSnapshot) -> None:
    fine, inside = built.checks
    assert (fine.key.to_user_string(), fine.blocking, fine.op_name) == ("clean:fine", True, "clean_fine")
    assert fine.additional_deps == (AssetKey("raw"),)
    assert (inside.key.name, inside.op_name) == ("inside", "clean")


def test_jobs(built: LocationSnapshot) -> None:
    daily, everything, ops_job = built.jobs
    assert (daily.asset_keys, daily.executor) == ((AssetKey("raw"),), "multiprocess")
    assert daily.partitions is not None
    assert {node.handle for node in everything.nodes} == {"raw", "clean", "clean_fine"}
    assert {(e.from_node, e.to_node, e.to_input) for e in everything.edges} == {
        ("raw", "clean", "raw"), ("clean", "clean_fine", "clean"), ("raw", "clean_fine", "__after__"),
    }  # fmt: skip
    assert [node.handle for node in ops_job.nodes] == ["fan", "inner.add", "total"]
    assert {(e.from_node, e.to_node, e.to_input) for e in ops_job.edges} == {("fan", "inner.add", "a"), ("inner.add", "total", "values")}
    assert ops_job.nodes[0].outputs[0].dynamic
    assert not ops_job.nodes[1].inputs[1].required
    assert ops_job.executor == "in_process"
    assert ops_job.default_config == {"ops": {"inner": {"ops": {"add": {"config": {"rows": 1}}}}}}


def test_schemas_of_jobs_take_their_own_default_config(built: LocationSnapshot) -> None:
    for job in built.jobs:
        Draft202012Validator.check_schema(job.config_schema)
    ops_job = built.jobs[2]
    assert list(Draft202012Validator(ops_job.config_schema).iter_errors(ops_job.default_config)) == []
    assert [e.message for e in Draft202012Validator(ops_job.config_schema).iter_errors({})] == ["'ops' is a required property"]
    daily = Draft202012Validator(built.jobs[0].config_schema)
    assert list(daily.iter_errors({"ops": {"raw": {"config": {"rows": 1}}}, "resources": {"db": {"config": {"path": "q"}}}})) == []
    assert list(daily.iter_errors({"ops": {"raw": {"config": {"rows": "1"}}}})) != []


def test_schedules_sensors_and_resources(built: LocationSnapshot) -> None:
    by_name = {found.name: found for found in built.schedules}
    assert by_name["nightly"].target.asset_keys == (AssetKey("raw"),)
    assert by_name["nightly"].missed_ticks is MissedTicks.ALL
    assert by_name["daily_schedule"].partitioned
    assert by_name["daily_schedule"].target.job_name == "daily"
    (sensor,) = built.sensors
    assert (sensor.minimum_interval_seconds, sensor.targets[0].job_name) == (7, "daily")
    (db,) = built.resources
    assert (db.description, db.config) == ("A database.", {"path": "p", "password": {"env": "DB_PASSWORD"}})
    assert db.config_schema is not None
    assert "required" not in db.config_schema


def test_equal_definitions_give_equal_snapshots(built: LocationSnapshot) -> None:
    assert snapshot.build(definitions(), HERE) == built


def many(count: int) -> dg.Definitions:
    def one(number: int) -> dg.AssetsDefinition:
        deps = [AssetKey(f"a{number - 1}")] if number else []

        @dg.asset(
            name=f"a{number}",
            group_name=f"g{number % 20}",
            deps=deps,
            tags={"a": "b"},
            metadata={"x": 1},
            kinds={"duckdb"},
            owners=["team:x"],
        )
        def function(context, config: Limit) -> int:
            """A number."""
            return 1

        return function

    return dg.Definitions(assets=[one(number) for number in range(count)], jobs=[dg.define_asset_job("everything")])


def test_ten_thousand_assets_cost_two_seconds_and_twice_as_many_twice_as_much() -> None:
    gc.disable()  # as `load` does
    try:
        seconds = []
        for count in (5_000, 10_000):
            begin = time.process_time()
            assert len(snapshot.build(many(count), HERE).assets) == count
            seconds.append(time.process_time() - begin)
    finally:
        gc.enable()
    # CPU time, with room for a machine that is busy with other things.
    assert seconds[1] <= 4.0, seconds
    assert seconds[1] / seconds[0] <= 3.0, seconds


def test_time_windows_that_begin_at_another_hour_are_named_by_their_date() -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01", hour_offset=6)
    window = days.time_window_for_partition_key("2024-01-02")
    assert window.start == datetime(2024, 1, 2, 6, tzinfo=UTC)
