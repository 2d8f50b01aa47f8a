"""Members of definitions, keys, partitions and runs that projects use now and then."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import InvalidRequestError

pytestmark = pytest.mark.unit

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-04")
GRID = dg.MultiPartitionsDefinition({"day": DAYS, "area": dg.StaticPartitionsDefinition(["eu", "us"])})


def test_events_with_other_metadata() -> None:
    for event in (dg.Output(1), dg.AssetMaterialization("a", partition="x", tags={"k": "v"}), dg.AssetCheckResult(passed=True)):
        changed = event.with_metadata({"rows": 3})
        assert changed.metadata == {"rows": dg.IntMetadataValue(3)}
        assert changed.with_metadata(None) == event


def test_keys_in_the_ways_that_people_write_them() -> None:
    key = dg.AssetKey(["a", "b"])
    assert {dg.AssetKey.from_coercible(each) for each in (key, "a/b", ["a", "b"])} == {key}
    assert dg.AssetKey.from_coercible_or_definition(dg.AssetSpec("a/b")) == key
    check = dg.AssetCheckKey(key, "fine")
    assert check.with_asset_key_prefix("p").replace_asset_key(key) == check
    assert (dg.AssetDep.from_coercible("a/b").asset_key, dg.AssetIn.from_coercible("a/b").key) == (key, key)


def test_outputs_tell_what_is_said_of_their_assets() -> None:
    out = dg.AssetOut(group_name="raw", metadata={"k": "v"})
    assert (out.group_name, out.metadata, out.description) == ("raw", {"k": "v"}, None)
    with pytest.raises(AttributeError, match="'colour'"):
        out.colour  # noqa: B018 - that it is not there


def test_partitions() -> None:
    DAYS.validate_partition_key("2024-01-02")
    with pytest.raises(InvalidRequestError, match="did you mean '2024-01-02'"):
        DAYS.validate_partition_key("2024-01-022")
    assert DAYS.get_tags_for_partition_key("2024-01-02") == {"dagster/partition": "2024-01-02"}
    key = GRID.get_partition_key_from_str("eu|2024-01-02")
    assert key.keys_by_dimension == {"area": "eu", "day": "2024-01-02"}
    assert GRID.get_tags_for_partition_key(key)["dagster/partition/area"] == "eu"
    assert [each.name for each in GRID.partitions_defs] == ["area", "day"]
    assert (GRID.has_time_window_dimension, GRID.time_window_dimension.name) == (True, "day")
    assert GRID.time_window_for_partition_key(key) == DAYS.time_window_for_partition_key("2024-01-02")
    letters = dg.StaticPartitionsDefinition(["a"])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="0 dimensions of time"):
        dg.MultiPartitionsDefinition({"a": letters, "b": letters}).time_window_dimension  # noqa: B018 - it raises


def test_requests_for_partitions_of_jobs_that_are_not_resolved_yet() -> None:
    job = dg.define_asset_job("daily", partitions_def=DAYS)
    request = job.run_request_for_partition("2024-01-02", run_key="k", tags={"a": "b"}, asset_selection=[dg.AssetKey("one")])
    assert (request.job_name, request.partition_key, request.run_key, request.tags["a"]) == ("daily", "2024-01-02", "k", "b")
    assert request.asset_selection == [dg.AssetKey("one")]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="job 'all' is not partitioned"):
        dg.define_asset_job("all").run_request_for_partition("2024-01-02")


def test_nodes_of_jobs_of_assets() -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="one")])
    def one() -> None: ...

    @dg.asset_check(asset=one)
    def good() -> bool:
        return True

    defs = dg.Definitions(assets=[one, dg.AssetSpec("outside")], asset_checks=[good], jobs=[dg.define_asset_job("both")])
    job = defs.resolve_job_def("both")
    assert [node.name for node in job.nodes] == ["one", "one_good"]
    assert job.get_node_named("one").definition is one.node_def
    assert (job.has_node_named("one_good"), job.has_node_named("two")) == (True, False)
    assert len(job.all_node_defs) == 2
    with pytest.raises(LookupError, match="did you mean 'one'"):
        job.get_node_named("ones")
    assert one.asset_and_check_keys == {one.key, *one.check_keys}
    assert one.get_spec_for_check_key(one.check_key).name == "fine"
    with pytest.raises(LookupError, match="one:other"):
        one.get_spec_for_check_key(dg.AssetCheckKey(one.key, "other"))


def test_resources_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_NAME", "corner")
    seen = []

    class Shop(dg.ConfigurableResource[None]):
        name: str

        def setup_for_execution(self, context: dg.InitResourceContext) -> None:
            seen.append(f"open {self.name}")

    class Closing(Shop):
        def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
            seen.append("close")

    assert Shop(name=dg.EnvVar("SHOP_NAME")).process_config_and_initialize().name == "corner"
    with Closing(name="other").process_config_and_initialize_cm() as shop:
        seen.append(shop.name)
    assert seen == ["open corner", "open other", "other", "close"]
    with pytest.raises(InvalidRequestError, match=r"use `with \.\.\.process_config_and_initialize_cm"):
        Closing(name="x").process_config_and_initialize()

    @dg.resource(config_schema=Shop.to_config_schema())
    def older(context: dg.InitResourceContext) -> Shop:
        return Shop.from_resource_context(context)

    @dg.op(required_resource_keys={"shop"})
    def asks(context: dg.OpExecutionContext) -> str:
        return str(context.resources.shop.name)

    @dg.job(resource_defs={"shop": older})
    def work() -> None:
        asks()

    result = work.execute_in_process({"resources": {"shop": {"config": {"name": "old"}}}})
    assert result.output_for_node("asks") == "old"


def test_runs() -> None:
    run = dg.DagsterRun(job_name="j", status=dg.DagsterRunStatus.CANCELED, root_run_id="r", parent_run_id="p")
    assert (run.is_failure_or_canceled, run.is_cancelable, run.get_root_run_id(), run.get_parent_run_id()) == (True, False, "r", "p")
    assert run.with_tags({"a": "b"}).tags == {"a": "b"}


def test_a_sensor_is_tried_out_with_resources_that_its_definitions_lack() -> None:
    @dg.asset
    def one() -> None: ...

    @dg.sensor(target=[one], required_resource_keys={"shop"})
    def looks(context: dg.SensorEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.resources.shop)

    defs = dg.Definitions(assets=[one], sensors=[looks])
    context = dg.build_sensor_context(definitions=defs, resources={"shop": "corner"})
    assert [request.run_key for request in looks.evaluate_tick(context).run_requests or ()] == ["corner"]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="needs the resource 'shop'"):
        looks.evaluate_tick(dg.build_sensor_context(definitions=defs))
